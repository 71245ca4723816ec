"""The keys of the viewer that do something with the run."""

from __future__ import annotations

import json
from pathlib import Path

from agentkit.messages import is_object
from agentkit.paths import runs_folder
from agentkit.trace.actions import Action, Choice, Command, choices, fork_command, replay_command
from agentkit.trace.spans import StepSpan
from agentkit.trace.text import visible
from agentkit.trace.viewer.run_app import RunApp
from agentkit.trace.viewer.screens import ConfirmScreen, ForkScreen

__all__ = ["Doing"]


class Doing:
    """Asks before something is done, starts it, and tells what became of it.

    Args:
        app: The viewer.
        agentkit: What starts the command line; arguments follow.
    """

    def __init__(self, app: RunApp, agentkit: tuple[str, ...]) -> None:
        self._app = app
        self._agentkit = agentkit
        self._actions: list[Action] = []
        self._opened: set[Path] = set()

    @property
    def idle(self) -> bool:
        """Whether all commands that were started have ended."""
        return all(action.code is not None for action in self._actions)

    def decide(self) -> None:
        """Asks about what waits for a person."""
        choice = choices(self._app.outline, self._app.source.path)
        if choice is None:
            going = self._app.outline.now is not None
            self._app.say("the run goes on" if going else "nothing waits: the run has its answer")
            return
        self._ask(choice)

    def replay(self) -> None:
        """Repeats the run from its file."""
        self._start(replay_command(self._app.source.path))

    def fork(self) -> None:
        """Asks for other arguments of the selected step, and begins a new run there."""
        node = self._app.outline.cursor
        span = node.source
        if not isinstance(span, StepSpan):
            self._app.say("choose a step to begin at; a fork does not do again what was done before it")
            return
        start = self._app.outline.tree.start
        model = str(start.model.get("name", "")) if start is not None and start.planner != "given" else ""
        args = span.written if span.items is not None else self._app.source.value(span.args)
        written = json.dumps(args, ensure_ascii=False, indent=2)

        def begin(answer: str | None) -> None:
            if answer is not None:
                chosen, _, text = answer.partition("\n")
                self._begin_fork(span, model, written, chosen, text)

        screen = ForkScreen(f"A new run that begins at {visible(span.id)}", written, model)
        self._app.push_screen(screen, begin)

    def _begin_fork(self, span: StepSpan, model: str, written: str, chosen: str, text: str) -> None:
        try:
            args = json.loads(text)
        except ValueError as error:
            self._app.say(f"the arguments are not JSON: {error}")
            return
        if not is_object(args):
            self._app.say("the arguments must be a JSON object")
            return
        changed = args if args != json.loads(written) else None
        other = chosen.strip() if chosen.strip() != model else ""
        self._start(fork_command(self._app.source.path, span.id, args=changed, model=other))

    def _ask(self, choice: Choice) -> None:
        def begin(key: str | None) -> None:
            if key is not None:
                self._start(choice.answers[key])

        words = {key: command.words for key, command in choice.answers.items()}
        self._app.push_screen(ConfirmScreen(visible(choice.question), words), begin)

    def _start(self, command: Command) -> None:
        self._actions.append(Action(command, self._agentkit))
        self._app.say(f"started: {command.words}")

    def look(self) -> None:
        """Tells of commands that have ended, and opens the run that a fork has begun."""
        for action in [*self._actions]:
            code = action.code  # asked first: what was said before it ended is looked at after
            path = self._new_run(action)
            if path is not None and path not in self._opened:
                self._opened.add(path)
                self._app.open_run(path)
            if code is not None:
                self._actions.remove(action)
                self._tell(action, code, path)
                action.close()

    def _tell(self, action: Action, code: int, new: Path | None) -> None:
        """Tells what became of a command; of a run that was begun and is on the screen, its first line does."""
        last = action.said[-1].removeprefix(f"{self._app.source.path.stem}: ") if action.said else ""
        if code not in (0, 3):
            self._app.say(last or f"exit code {code}")
        elif new is None:
            self._app.say(f"done: {action.command.words}. {last}")

    def close(self) -> None:
        """Forgets what was started; it goes on by itself."""
        for action in self._actions:
            action.close()

    def _new_run(self, action: Action) -> Path | None:
        if action.command.arguments[0] != "fork":
            return None
        names = [line.split()[1] for line in action.said if line.startswith("run ") and len(line.split()) > 1]
        path = runs_folder() / f"{names[0]}.sqlite" if names else None
        return path if path is not None and path.exists() else None
