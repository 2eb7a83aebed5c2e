"""The document describes every endpoint and every message, and nothing else."""

import json
import re
from pathlib import Path

from cleanroom.api.endpoints import ENDPOINTS
from cleanroom.api.openapi import document, messages, render

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"


def test_the_committed_document_is_the_served_one() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == render()


def test_every_endpoint_is_an_operation() -> None:
    paths = document("1")["paths"]
    described = {
        (operation["operationId"], method.upper(), path)
        for path, methods in paths.items()
        for method, operation in methods.items()
    }
    assert described == {(each.name, each.method, each.path) for each in ENDPOINTS}


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(document("1"))
    schemas = document("1")["components"]["schemas"]
    wanted = set(re.findall(r"#/components/schemas/(\w+)", text))
    assert wanted <= set(schemas)


def test_messages_refuse_unknown_members() -> None:
    schemas = document("1")["components"]["schemas"]
    loose = [name for name in messages() if schemas[name].get("additionalProperties") is not False]
    assert loose == []


def test_bodies_streams_and_sockets_are_described_as_such() -> None:
    paths = document("1")["paths"]
    execution = "/v1/sandboxes/{sandbox_id}/executions/{execution_id}"
    assert "101" in paths[f"{execution}/attach"]["get"]["responses"]
    assert "204" in paths[f"{execution}/stdin"]["post"]["responses"]
    output = paths[f"{execution}/output"]["get"]
    assert "application/x-ndjson" in output["responses"]["200"]["content"]
    assert {"name", "in", "schema"} <= set(output["parameters"][-1])
    assert "text/plain" in paths["/v1/runs/{run_id}/patch"]["get"]["responses"]["200"]["content"]
    assert "application/json" in paths["/v1/runs"]["post"]["requestBody"]["content"]
