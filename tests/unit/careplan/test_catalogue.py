from pathlib import Path

import pytest

from services.careplan.catalogue import CatalogueError, read_catalogue
from shared.events.transitions import TransitionStatus
from tests.unit.careplan.stories import Stay
from tests.unit.careplan.test_plan import CATALOGUE

PLAIN = """
name: plain
version: "2026.1"
title: Plain
source: own
goals: [{code: well, text: Well}]
activities: [{code: call, title: Call}]
"""


@pytest.mark.parametrize(
    ("disposition", "diagnoses", "template"),
    [
        ("01", (), "general-discharge"),
        ("unheard-of", (), "general-discharge"),
        ("01", ("I50.22",), "general-discharge+heart-failure"),
        ("01", ("I11.0", "J44.1"), "general-discharge+heart-failure+copd"),
        ("03", ("J44.1",), "snf-handoff+copd"),
        ("83", (), "snf-handoff"),
        ("06", ("I21.4",), "home-health+myocardial-infarction"),
        ("50", (), "hospice"),
        ("20", ("I50.22",), "bereavement"),
        ("02", (), "hospital-transfer"),
        ("07", ("I63.9",), "against-advice+stroke"),
        ("01", ("F32.1",), "general-discharge+behavioural-health"),
    ],
)
def test_disposition_and_diagnoses_choose(disposition: str, diagnoses: tuple[str, ...], template: str) -> None:
    stay = Stay(disposition=disposition, diagnoses=diagnoses)
    stay.status = TransitionStatus.FOLLOWING
    frame = CATALOGUE.choose(stay.transition(1))
    assert frame.template == template
    assert frame.template_version.count("+") == template.count("+")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (('version: "2026.1"', "version: latest"), r"wrong\.yaml: version"),
        (("title: Plain", "tittle: Plain"), r"wrong\.yaml: (title|tittle)"),
        (("code: call", "code: well"), r"wrong\.yaml: .*code used twice: well"),
        (("name: plain", "name: [plain"), r"wrong\.yaml: no YAML"),
        (("source: own", 'source: own\nrank: 1\napplies: {dispositions: ["01"]}'), "no plan template fits everyone"),
    ],
)
def test_a_wrong_template_is_named(tmp_path: Path, change: tuple[str, str], complaint: str) -> None:
    (tmp_path / "wrong.yaml").write_text(PLAIN.replace(*change))
    with pytest.raises(CatalogueError, match=complaint):
        read_catalogue(tmp_path)
