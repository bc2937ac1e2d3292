"""Scores of anomaly detectors and of nearest sequences: entries of the table in `scores`."""

from __future__ import annotations

from typing import Any

__all__ = ["DETECTION"]

DETECTION: tuple[dict[str, Any], ...] = (
    {
        "name": "planted_auprc",
        "heading": "AUPRC (planted)",
        "phrase": "area under the precision-recall curve for planted anomalies",
        "meaning": "average precision Σ (R_k − R_k−1) P_k over rows, of anomalies of five kinds put into them; "
        "guessing has the share of the rows that are changed",
        "source": "Goswami et al. (2023), arXiv 2210.01078, model selection by synthetic anomalies",
    },
    {
        "name": "false_alarm_rate",
        "heading": "False alarms",
        "phrase": "false alarm rate",
        "meaning": "share of the rows not labelled as anomalies that are flagged; of all rows where none is labelled",
        "unit": "share",
        "lower_is_better": True,
        "beside": "events_found",
        "source": "false positive rate; Fawcett (2006), An introduction to ROC analysis",
    },
    {
        "name": "auprc",
        "heading": "AUPRC",
        "phrase": "area under the precision-recall curve",
        "meaning": "average precision Σ (R_k − R_k−1) P_k; guessing has the share of the positives",
        "source": "scikit-learn: sklearn.metrics.average_precision_score",
    },
    {
        "name": "events_found",
        "heading": "Events found",
        "phrase": "share of events found",
        "meaning": "share of the runs of labelled rows in which at least one row is flagged",
        "unit": "share",
        "source": "Tatbul et al. (2018), arXiv 1803.03639, existence of range-based recall",
    },
    {
        "name": "delay",
        "heading": "Delay",
        "phrase": "detection delay",
        "meaning": "rows from the first of an event to the first of it that is flagged, mean over the events found",
        "lower_is_better": True,
        "beside": "events_found",
        "source": "Lavin & Ahmad (2015), arXiv 1510.03336, NAB",
    },
    *(
        {
            "name": f"recall_at_{count}",
            "heading": f"Recall@{count}",
            "phrase": f"recall at {count}",
            "meaning": f"share of sequences of whose {many} one has their label",
            "unit": "share",
            "source": "Jégou et al. (2011), product quantization; Oh Song et al. (2016), arXiv 1511.06452",
        }
        for count, many in ((1, "one nearest other"), (5, "five nearest others"))
    ),
)
