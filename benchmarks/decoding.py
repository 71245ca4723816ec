"""How fast a tool call decodes: without a constraint, with ours, and with llama.cpp's own grammar.

The model is offered 20 tools. What it answers is fixed: each way does all its work to choose a token, and the answer's
token is taken instead of the one chosen, so that all ways decode the same text. The prompt is in the cache already.
The ways take turns call by call, so that a busy machine is busy for all of them.

    python benchmarks/decoding.py starter.gguf gemma-3-270m.gguf --json
"""

from __future__ import annotations

import argparse
import ctypes
import json
import statistics
import time
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from llama_cpp.llama_grammar import json_schema_to_gbnf

from agentkit.messages import Usage
from agentkit.model_backend.constraint import Constraints, json_schema_grammar
from agentkit.model_backend.engine.cache import PrefixCache
from agentkit.model_backend.engine.decode import Decoder
from agentkit.model_backend.engine.native import Chunk, Context, Logits, Model, lib
from agentkit.model_backend.engine.sampling import Matcher, Sampler
from agentkit.model_backend.engine.scheduler import Job, Scheduler
from agentkit.model_backend.engine.settings import ResolvedSampling, physical_cores
from agentkit.model_backend.engine.tuning import flash_is_faster
from agentkit.model_backend.engine.vocab import Vocab
from agentkit.model_backend.script import Constrained, Free, Script

GREEDY = ResolvedSampling()

Parameter = tuple[str, dict[str, Any], Any]
"""Name, schema, and the value the fixed answer gives it."""

TEXT = {"type": "string"}
WHOLE = {"type": "integer", "minimum": 0, "maximum": 1_000_000}
YES_NO = {"type": "boolean"}
UNIT = {"enum": ["celsius", "fahrenheit"]}
LEVEL = {"enum": ["low", "normal", "high"]}

TOOLS: tuple[tuple[str, str, tuple[Parameter, ...]], ...] = (
    ("get_weather_forecast", "Weather of the next days.", (
        ("city_name", TEXT, "Lisbon"), ("number_of_days", WHOLE, 3), ("temperature_unit", UNIT, "celsius"))),
    ("convert_currency_amount", "Converts money at today's rate.", (
        ("amount", WHOLE, 250), ("source_currency", TEXT, "USD"), ("target_currency", TEXT, "EUR"))),
    ("create_calendar_event", "Puts an event into the calendar.", (
        ("event_title", TEXT, "Review"), ("start_hour", WHOLE, 14), ("duration_minutes", WHOLE, 45))),
    ("send_email_message", "Sends an e-mail.", (
        ("recipient_address", TEXT, "ann@example.org"), ("subject_line", TEXT, "Plans"), ("priority", LEVEL, "high"))),
    ("search_product_catalog", "Finds products in the shop.", (
        ("search_terms", TEXT, "green tea"), ("maximum_price", WHOLE, 20), ("result_limit", WHOLE, 5))),
    ("translate_document_text", "Translates a text.", (
        ("source_language", TEXT, "de"), ("target_language", TEXT, "en"), ("document_text", TEXT, "Guten Morgen"))),
    ("calculate_loan_payment", "Monthly rate of a loan.", (
        ("loan_amount", WHOLE, 12000), ("number_of_months", WHOLE, 36), ("interest_basis_points", WHOLE, 450))),
    ("set_room_thermostat", "Sets the temperature of a room.", (
        ("room_name", TEXT, "kitchen"), ("target_temperature", WHOLE, 21), ("temperature_unit", UNIT, "celsius"))),
    ("create_support_ticket", "Opens a ticket.", (
        ("ticket_summary", TEXT, "Printer jams"), ("ticket_priority", LEVEL, "low"), ("customer_number", WHOLE, 4711))),
    ("find_train_connection", "Looks up trains.", (
        ("departure_station", TEXT, "Bern"), ("arrival_station", TEXT, "Basel"), ("departure_hour", WHOLE, 9))),
    ("resize_image_file", "Changes the size of an image.", (
        ("file_name", TEXT, "cat.png"), ("width_in_pixels", WHOLE, 800), ("height_in_pixels", WHOLE, 600))),
    ("schedule_server_backup", "Plans a backup.", (
        ("server_name", TEXT, "db1"), ("backup_hour", WHOLE, 2), ("retention_days", WHOLE, 30))),
    ("count_words_in_file", "Counts words.", (
        ("file_name", TEXT, "notes.txt"), ("ignore_case", YES_NO, True))),
    ("book_restaurant_table", "Books a table.", (
        ("restaurant_name", TEXT, "Roma"), ("number_of_guests", WHOLE, 4), ("arrival_hour", WHOLE, 19))),
    ("measure_network_latency", "Pings a host.", (
        ("host_name", TEXT, "example.org"), ("number_of_packets", WHOLE, 10))),
    ("update_inventory_level", "Sets how many are in stock.", (
        ("article_number", WHOLE, 88213), ("new_quantity", WHOLE, 140), ("warehouse_name", TEXT, "north"))),
    ("play_music_playlist", "Plays music.", (
        ("playlist_name", TEXT, "Sunday"), ("volume_percent", WHOLE, 35), ("shuffle_tracks", YES_NO, False))),
    ("lookup_postal_code", "Finds a postal code.", (
        ("street_name", TEXT, "Main Street"), ("house_number", WHOLE, 12), ("city_name", TEXT, "Dover"))),
    ("compress_log_files", "Packs old logs.", (
        ("folder_name", TEXT, "logs"), ("older_than_days", WHOLE, 14), ("compression_level", LEVEL, "normal"))),
    ("estimate_travel_time", "Time from one place to another.", (
        ("start_address", TEXT, "Airport"), ("destination_address", TEXT, "Harbour"), ("departure_hour", WHOLE, 8))),
)  # fmt: skip


def schema() -> dict[str, Any]:
    """Returns the schema of one call of any of the tools."""
    return {"anyOf": [call_schema(name, parameters) for name, _, parameters in TOOLS]}


def call_schema(name: str, parameters: tuple[Parameter, ...]) -> dict[str, Any]:
    arguments = closed({key: kind for key, kind, _ in parameters})
    return closed({"name": {"const": name}, "arguments": arguments})


def closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def prompt() -> str:
    declared = "\n".join(
        json.dumps({"name": name, "description": about, "parameters": closed({k: kind for k, kind, _ in parameters})})
        for name, about, parameters in TOOLS
    )
    return f"Tools:\n{declared}\nTask: call the tool that helps, as JSON with name and arguments.\nCall: "


def answers(count: int) -> list[str]:
    calls = [{"name": name, "arguments": {k: value for k, _, value in parameters}} for name, _, parameters in TOOLS]
    return [json.dumps(calls[index % len(calls)]) for index in range(count)]


class FixedSampler(Sampler):
    """Chooses as always, then takes the next token of a given text."""

    def __init__(self, vocab: Vocab, answer: str) -> None:
        super().__init__(GREEDY)
        self._vocab = vocab
        self._left = answer.encode()

    def take(self, tokens: list[int]) -> None:
        """Drops tokens from the front of the text; a forced token that is not in it is a failure."""
        for token in tokens:
            piece = self._vocab.piece(token)
            if not self._left.startswith(piece):
                raise SystemExit(f"forced {piece!r} where {self._left[:20]!r} comes")
            self._left = self._left[len(piece) :]

    def next(self) -> int:
        """Returns the token that comes next in the text."""
        return text_tokens(self._vocab, self._left.decode())[0]

    def free(self, logits: Logits, banned: Collection[int] = ()) -> int:
        """Chooses without a grammar."""
        super().free(logits, banned)
        return self.next()

    def constrained(self, logits: Logits, matcher: Matcher) -> int:
        """Chooses under a grammar."""
        super().constrained(logits, matcher)
        return self.next()


class FixedDecoder(Decoder[str]):
    """Tells the sampler what has been added."""

    def _add(self, tokens: Any, kind: Any, *, forced: bool = False) -> None:
        super()._add(tokens, kind, forced=forced)
        if isinstance(self._sampler, FixedSampler):
            self._sampler.take(list(tokens))


def text_tokens(vocab: Vocab, text: str) -> list[int]:
    """Returns the tokens of a text in the middle of another: without the blank some vocabularies put first."""
    tokens = vocab.tokenize(text, special=False)
    if vocab.detokenize(tokens) == text:
        return tokens
    anchor = vocab.tokenize("\n", special=False)
    return vocab.tokenize("\n" + text, special=False)[len(anchor) :]


@dataclass
class Row:
    """What one way took, over all calls."""

    way: str
    tokens: int
    decodes: int
    tokens_per_second: float
    ratio: float = 1.0


class Bench:
    """A model, with the prompt in its cache."""

    def __init__(self, path: Path) -> None:
        self.model = Model(path)
        self.vocab = Vocab(self.model)
        threads = physical_cores()
        self.flash = flash_is_faster(self.model, threads=threads)
        self.context = Context(
            self.model, context=4096, sequences=1, batch=256, threads=threads, full_window=True, flash=self.flash
        )
        self.cache = PrefixCache(
            self.context, slots=1, window=self.model.window, checkpoints=False, recurrent=self.model.recurrent
        )
        self.prompt = text_tokens(self.vocab, prompt())
        if self.vocab.bos is not None:
            self.prompt = [self.vocab.bos, *self.prompt]
        self.constraints = Constraints(self.vocab.handle, eog=self.vocab.eog)
        self.grammar = json_schema_grammar(schema())
        self.matcher = self.constraints.matcher
        self._gbnf = json_schema_to_gbnf(json.dumps(schema())).encode()
        self.decodes = 0

    def unconstrained(self, answer: str) -> tuple[int, float]:
        """Samples every token freely."""
        count = len(text_tokens(self.vocab, answer))
        return self._script(answer, Free(max_tokens=count))

    def ours(self, answer: str) -> tuple[int, float]:
        """Decodes one constrained segment."""
        return self._script(answer, Constrained(grammar=self.grammar))

    def _script(self, answer: str, segment: Free | Constrained) -> tuple[int, float]:
        """Runs the engine's own scheduler on this thread; returns tokens and seconds of the answer."""

        def script() -> Script[str]:
            return (yield segment).text

        decoder = FixedDecoder(
            script(),
            vocab=self.vocab,
            sampler=FixedSampler(self.vocab, answer),
            matcher=self.matcher,
            room=4096 - len(self.prompt),
            emit=lambda _: None,
        )
        ended: list[tuple[str, Usage]] = []

        def finish(value: str, usage: Usage, error: BaseException | None) -> None:
            if error is not None:
                raise SystemExit(f"failed: {error}")
            ended.append((value, usage))

        scheduler = Scheduler(self.context, self.cache)
        scheduler.add(Job(self.prompt, decoder, finish))
        while scheduler.busy:
            scheduler.step()
            self.decodes += 1
        text, usage = ended[0]
        if text != answer:
            raise SystemExit(f"decoded {text!r} instead of {answer!r}")
        return usage.output_tokens, usage.output_seconds

    def llama_grammar(self, answer: str) -> tuple[int, float]:
        """Masks the whole vocabulary at each token with llama.cpp's sampler, as its high-level API does."""
        tokens = text_tokens(self.vocab, answer)
        sampler = lib.llama_sampler_init_grammar(self.vocab.handle, self._gbnf, b"root")
        if not sampler:
            raise SystemExit("llama.cpp can't read its own grammar")
        kind = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
        candidates = np.zeros(self.vocab.size, kind)
        candidates["id"] = np.arange(self.vocab.size)
        data = cast(Any, ctypes).cast(candidates.ctypes.data, ctypes.POINTER(lib.llama_token_data))
        array = lib.llama_token_data_array(data=data, size=len(candidates), selected=-1, sorted=False)
        self.context.cut(0, len(self.prompt) - 1)
        slot = self.cache.slots[0]
        del slot.tokens[len(self.prompt) - 1 :]
        (logits,) = self.context.decode([Chunk(0, len(self.prompt) - 1, self.prompt[-1:], True)])
        start = time.perf_counter()
        for position, token in enumerate(tokens, len(self.prompt)):
            candidates["logit"] = logits
            lib.llama_sampler_apply(sampler, ctypes.byref(array))
            candidates["logit"].argmax()
            if candidates["logit"][token] == -np.inf:  # accepting it would end the process
                raise SystemExit(f"llama.cpp's grammar refuses {self.vocab.piece(token)!r} in {answer!r}")
            lib.llama_sampler_accept(sampler, token)
            if position + 1 < len(self.prompt) + len(tokens):
                (logits,) = self.context.decode([Chunk(0, position, [token], True)])
                self.decodes += 1
        seconds = time.perf_counter() - start
        lib.llama_sampler_free(sampler)
        return len(tokens), seconds


def measure(path: Path, calls: int) -> list[Row]:
    """Returns a row for each way."""
    bench = Bench(path)
    ways: dict[str, Callable[[str], tuple[int, float]]] = {
        "unconstrained": bench.unconstrained,
        "agentkit": bench.ours,
        "llama.cpp grammar": bench.llama_grammar,
    }
    texts = answers(calls)
    for run in ways.values():  # the prompt is computed, the grammars are compiled
        run(texts[0])
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    tokens = dict.fromkeys(ways, 0)
    decodes = dict.fromkeys(ways, 0)
    for text in texts:
        for way, run in ways.items():
            bench.decodes = 0
            count, took = run(text)
            tokens[way] += count
            decodes[way] += bench.decodes
            seconds[way].append(took)
    rows = [Row(way, tokens[way], decodes[way], tokens[way] / sum(seconds[way])) for way in ways]
    for row in rows:  # the median over calls: one call that was held up does not decide
        pairs = zip(seconds["unconstrained"], seconds[row.way], strict=True)
        row.ratio = statistics.median(free / own for free, own in pairs)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL.gguf")
    parser.add_argument("--calls", type=int, default=16, help="calls for each way (default 16)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    found = {path.name: measure(path, options.calls) for path in options.models}
    if options.json:
        print(json.dumps({name: [asdict(row) for row in rows] for name, rows in found.items()}, indent=2))
        return
    for name, rows in found.items():
        print(
            f"{name}: 20 tools, {options.calls} calls\n{'':20}{'tokens/s':>10}{'ratio':>8}{'tokens':>8}{'decodes':>9}"
        )
        for row in rows:
            print(f"{row.way:20}{row.tokens_per_second:10.1f}{row.ratio:8.2f}{row.tokens:8}{row.decodes:9}")


if __name__ == "__main__":
    main()
