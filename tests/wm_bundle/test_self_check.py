"""The file with a bundle's questions and answers: read as written, or refused with the reason."""

import hashlib
import io
import json
import pickle
from dataclasses import asdict, replace

import numpy as np
import pytest
from tiny_bundle import make_tiny_bundle
from wm_bundle import BundleError, SelfCheckSpec, load_bundle, write_bundle
from wm_bundle.manifest import SELF_CHECK_FILE
from wm_bundle.self_check import MEASURES, Answers, Questions, read_self_check, write_self_check

B, N, H, F = 3, 4, 5, 20  # of tiny_bundle: 16 + 4 belief features
SPEC = SelfCheckSpec("by hand", dict.fromkeys(MEASURES, 0.1), dict.fromkeys(MEASURES, 0.0))
QUESTIONS = Questions(
    image=np.full((3, 64, 64), 7, np.uint8),
    vector=np.ones(1, np.float32),
    previous_action=np.zeros(3, np.float32),
    beliefs=np.ones((B, F), np.float32),
    plans=np.zeros((B, N, H, 2), np.float32),
)
ANSWERS = Answers(
    next_belief=np.zeros(F, np.float32),
    returns=np.ones((B, N), np.float32),
    actor=np.zeros((B, H, 3), np.float32),
    picture=np.zeros((3, 64, 64), np.uint8),
)


def bundle_with(folder, questions=QUESTIONS, answers=ANSWERS, spec=SPEC):
    plain = load_bundle(make_tiny_bundle(folder / "plain"))
    write_self_check(folder / SELF_CHECK_FILE, questions, answers)
    files = {name: plain.file(name) for name in plain.manifest.files} | {SELF_CHECK_FILE: folder / SELF_CHECK_FILE}
    return write_bundle(folder / "bundle", replace(plain.manifest, self_check=spec), files)


def test_read_as_it_was_written(tmp_path):
    bundle = bundle_with(tmp_path)
    assert load_bundle(bundle.path).manifest.self_check == SPEC
    questions, answers = read_self_check(bundle)
    for written, read in ((QUESTIONS, questions), (ANSWERS, answers)):
        for name, array in asdict(written).items():
            np.testing.assert_array_equal(getattr(read, name), array)


def test_the_same_arrays_make_the_same_file(tmp_path):
    for name in ("one.npz", "other.npz"):
        write_self_check(tmp_path / name, QUESTIONS, ANSWERS)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "other.npz").read_bytes()


def test_a_bundle_of_an_earlier_version_has_none(tmp_path):
    assert read_self_check(load_bundle(make_tiny_bundle(tmp_path / "bundle"))) is None


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"answers": replace(ANSWERS, returns=np.ones((B, 7), np.float32))}, "'plans': expected float32 .3, 7, 5, 2"),
        ({"questions": replace(QUESTIONS, beliefs=np.ones((B, 9), np.float32))}, "'beliefs': expected float32 .3, 20"),
        ({"answers": replace(ANSWERS, actor=np.zeros((B, H, 3)))}, "'actor': expected float32 .*, found float64"),
        ({"answers": replace(ANSWERS, returns=np.float32(1.0))}, "expected a row for each belief"),
        ({"answers": replace(ANSWERS, picture=np.array([{}], object))}, "allow_pickle"),
        ({"spec": replace(SPEC, limits={"return": 0.1})}, "expected limits of belief, return, .*, found return"),
    ],
)
def test_what_does_not_fit_the_model_is_refused_with_the_reason(changes, words, tmp_path):
    with pytest.raises(BundleError, match=rf"self_check.npz cannot be used: .*{words}.*export the bundle again"):
        read_self_check(bundle_with(tmp_path, **changes))


def test_a_file_that_is_missing_or_not_listed_is_refused(tmp_path):
    bundle = bundle_with(tmp_path)
    bundle.file(SELF_CHECK_FILE).unlink()
    with pytest.raises(BundleError, match="self_check.npz is missing"):
        load_bundle(bundle.path)
    values = json.loads(bundle.file("bundle.json").read_text())
    del values["files"][SELF_CHECK_FILE]
    bundle.file("bundle.json").write_text(json.dumps(values))
    with pytest.raises(BundleError, match="lists no checksum of self_check.npz"):
        load_bundle(bundle.path)


def damaged(bundle, data: bytes):
    """The bundle with other bytes in the file and the checksum of these."""
    bundle.file(SELF_CHECK_FILE).write_bytes(data)
    values = json.loads(bundle.file("bundle.json").read_text())
    values["files"][SELF_CHECK_FILE] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    bundle.file("bundle.json").write_text(json.dumps(values))
    return load_bundle(bundle.path)


def test_other_bytes_are_refused_with_the_reason_whatever_they_are(tmp_path):
    bundle = bundle_with(tmp_path)
    whole = bundle.file(SELF_CHECK_FILE).read_bytes()
    plain = io.BytesIO()
    np.save(plain, np.zeros(3))
    random, refused = np.random.default_rng(3), 0
    for data in (b"", plain.getvalue(), pickle.dumps({"returns": 1}), whole[:-50]):
        with pytest.raises(BundleError, match=r"self_check.npz cannot be used: it is not an npz file; export"):
            read_self_check(damaged(bundle, data))
    for _ in range(60):
        data = bytearray(whole)
        for place in random.integers(len(whole), size=3):
            data[place] ^= 0xFF
        try:
            read_self_check(damaged(bundle, bytes(data)))
        except BundleError:
            refused += 1
    assert refused > 30


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    answers = replace(ANSWERS, returns=np.full((B, N), np.nan, np.float32))
    with pytest.raises(BundleError, match="'returns' has numbers that are not finite"):
        read_self_check(bundle_with(tmp_path, answers=answers))
