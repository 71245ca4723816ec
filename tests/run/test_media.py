"""Media reach the model with the messages of before, and are recorded as JSON."""

from __future__ import annotations

import json

from agentkit import Agent, ScriptedModel
from agentkit.event_json import event_from_json, event_to_json
from agentkit.events import TurnStarted
from agentkit.messages import Media, Message, User


def test_media_of_earlier_messages_reach_the_model_and_the_record() -> None:
    history: list[Message] = [User("This is a cat.", (Media("image", "cat.png"),))]
    model = ScriptedModel(["Yes."])
    result = Agent(model=model).run_sync("Is it?", history=history)
    assert history[0] in model.requests[0].messages
    (started,) = [event for event in result.events if isinstance(event, TurnStarted)]
    again = event_from_json(json.loads(json.dumps(event_to_json(started))))
    assert isinstance(again, TurnStarted)
    assert again.messages[1]["media"] == [{"kind": "image", "source": "cat.png"}]
