"""The conformance kit: checks of measures and domains for the tests of plugins and of resi itself."""

from resi.testing.domains import check_domain
from resi.testing.expectations import DomainCheckError
from resi.testing.measures import (
    MeasureCheckError,
    MeasureReport,
    SlowMeasureWarning,
    check_measure,
    measure_report,
)

__all__ = [
    "DomainCheckError",
    "MeasureCheckError",
    "MeasureReport",
    "SlowMeasureWarning",
    "check_domain",
    "check_measure",
    "measure_report",
]
