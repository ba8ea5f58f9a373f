"""What a processor is called."""

import platform

import pytest
from wm_tools.common.machine import device_facts, machine_facts, processor_kind

OLD = "processor\t: 0\nflags\t\t: fpu sse2 avx avx2 fma\n"
NEW = "flags\t\t: avx2 avx512f avx512_vnni avx512_bf16 amx_int8\n"
ORIN = "processor\t: 0\nFeatures\t: fp asimd evtstrm aes asimddp\nCPU implementer\t: 0x41\n"
GRACE = "Features\t: asimd asimddp sve i8mm bf16\n"


@pytest.mark.parametrize(
    "cpuinfo, architecture, kind",
    [
        (OLD, "x86_64", "x86_64 AVX2"),
        (NEW, "x86_64", "x86_64 AVX2 AVX-512 VNNI bf16 AMX"),
        (ORIN, "aarch64", "aarch64 NEON dotprod"),
        (GRACE, "aarch64", "aarch64 NEON dotprod i8mm bf16 SVE"),
        ("", "riscv64", "riscv64"),
    ],
)
def test_the_kind_of_a_processor_is_its_architecture_and_what_computes_products(cpuinfo, architecture, kind):
    assert processor_kind(cpuinfo, architecture) == kind


def test_this_machine_is_described():
    facts = {**machine_facts(), **device_facts()}
    assert facts["kind"].startswith(platform.machine()) and facts["cores"] >= 1 and facts["memory_gb"] > 0.1
    assert facts["ros"] != "unknown" and facts["cpu"] and facts["os"]
