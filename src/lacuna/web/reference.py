"""The API for people: a page made from the OpenAPI document, without scripts or anything from elsewhere."""

from __future__ import annotations

import json
from html import escape
from typing import Any

STYLESHEET = "/api/v1/docs.css"

CSS = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; }
details { border: 1px solid #8886; border-radius: 6px; margin: .5rem 0; padding: .4rem .8rem; }
summary { cursor: pointer; }
code, pre { font: 14px/1.45 ui-monospace, monospace; }
pre { overflow: auto; padding: .6rem; background: #8882; border-radius: 6px; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #8883 }
.verb { display: inline-block; min-width: 4.5rem; font-weight: 700; }
"""


def page(document: dict[str, Any]) -> str:
    """Return the page for an OpenAPI document."""
    groups: dict[str, list[str]] = {}
    for path, verbs in document["paths"].items():
        for verb, route in verbs.items():
            groups.setdefault(route.get("tags", [""])[0], []).append(_route(path, verb, route))
    parts = [f"<h2>{escape(name)}</h2>{''.join(routes)}" for name, routes in groups.items()]
    schemas = document.get("components", {}).get("schemas", {})
    models = "".join(
        f"<details id='{escape(name)}'><summary><code>{escape(name)}</code></summary>"
        f"<pre>{escape(json.dumps(schema, indent=1, ensure_ascii=False))}</pre></details>"
        for name, schema in sorted(schemas.items())
    )
    title = escape(document["info"]["title"])
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{title}</title>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<link rel='stylesheet' href='{STYLESHEET}'><h1>{title}</h1>"
        f"<p>{escape(document['info'].get('description', ''))}</p>"
        "<p><a href='/api/v1/openapi.json'>The same for programs (OpenAPI)</a></p>"
        f"{''.join(parts)}<h2>schemas</h2>{models}</html>"
    )


def _route(path: str, verb: str, route: dict[str, Any]) -> str:
    words = escape(route.get("description") or route.get("summary", ""))
    rows = [
        (
            field["name"],
            field["in"],
            field.get("required", False),
            field["schema"],
            field.get("description", ""),
        )
        for field in route.get("parameters", [])
    ]
    bodies = [
        f"<p>{escape(kind)}: {_schema(content.get('schema', {}))}</p>"
        for kind, content in route.get("requestBody", {}).get("content", {}).items()
    ]
    fields = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{place}</td><td>{'needed' if must else ''}</td>"
        f"<td>{_schema(schema)}</td><td>{escape(told)}</td></tr>"
        for name, place, must, schema, told in rows
    )
    answers = "".join(
        f"<tr><td><code>{escape(status)}</code></td><td>{escape(answer.get('description', ''))}</td>"
        f"<td>{escape(', '.join(answer.get('content', {})))}</td></tr>"
        for status, answer in route.get("responses", {}).items()
    )
    return (
        f"<details><summary><span class='verb'>{verb.upper()}</span><code>{escape(path)}</code> {words}"
        "</summary>"
        f"{f'<table>{fields}</table>' if fields else ''}{''.join(bodies)}<table>{answers}</table></details>"
    )


def _schema(schema: dict[str, Any]) -> str:
    """Return a schema in a few words, with a link where it has a name."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f"<a href='#{name}'>{name}</a>"
    if "anyOf" in schema:
        return " or ".join(_schema(one) for one in schema["anyOf"])
    if "enum" in schema:
        return escape(", ".join(map(str, schema["enum"])))
    return escape(str(schema.get("type", "anything")))
