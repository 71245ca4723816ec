"""Fails when a public name of the installed package has no certain type: reads pyright's report from stdin."""

import json
import sys

PUBLIC = (
    "agentkit.agent",
    "agentkit.errors",
    "agentkit.events",
    "agentkit.limits",
    "agentkit.messages",
    "agentkit.model_backend.base",
    "agentkit.model_backend.loading",
    "agentkit.model_backend.script",
    "agentkit.planners",
    "agentkit.run",
    "agentkit.tools.context",
    "agentkit.tools.decorator",
    "agentkit.tools.loading",
    "agentkit.tools.registry",
    "agentkit.tools.tool",
    "agentkit.trace",
)
APPLICATION = "agentkit.trace.viewer"  # an application, not an API; this check can't tell Textual's types

report = json.load(sys.stdin)["typeCompleteness"]
assert report["pyTypedPath"], "py.typed is not in the wheel"
public = [s for s in report["symbols"] if s["name"].startswith(PUBLIC) and not s["name"].startswith(APPLICATION)]
uncertain = [s["name"] for s in public if not s["isTypeKnown"] or s["isTypeAmbiguous"]]
if uncertain:
    sys.exit("annotate, because type checkers may infer different types: " + ", ".join(uncertain))
sys.stdout.write(f"wheel: {len(public)} public names have types\n")
