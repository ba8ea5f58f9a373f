"""The meaning of every figure on a page. Blocks name a key of METRICS, and the page shows the definition on a click.

Sorted by topic: define a new figure in the module of its topic.
"""

from wm_evaluation.report.glossary.driving import BENCHMARK, DRIVING, LATENCY
from wm_evaluation.report.glossary.driving_score import SCORING
from wm_evaluation.report.glossary.metric import Metric
from wm_evaluation.report.glossary.models import IMAGINATION, TRAINING
from wm_evaluation.report.glossary.recorded import LIVE_REPLAY, RECORDED, REPLAYED

__all__ = ["METRICS", "Metric"]

METRICS: dict[str, Metric] = {
    **DRIVING,
    **LATENCY,
    **SCORING,
    **RECORDED,
    **TRAINING,
    **IMAGINATION,
    **REPLAYED,
    **LIVE_REPLAY,
    **BENCHMARK,
}
