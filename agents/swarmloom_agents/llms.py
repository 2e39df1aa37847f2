"""Language models that need no key: recorded answers, trained models, functions.

Each is a complete `crewai.BaseLLM`: it emits CrewAI's events, reports its usage, answers the ReAct
format, native tool calls and structured output, and works with ``call`` and ``acall``.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import yaml
from pydantic import BaseModel, Field, PrivateAttr

from swarmloom.errors import ConfigurationError, ExpertError, InputError
from swarmloom.reading import why_unreadable
from swarmloom_agents.accounting import current_meter
from swarmloom_agents.seams import LLM_TYPE_REGISTRY, BaseLLM, LLMCallType, llm_call_context
from swarmloom_agents.work import current_task

__all__ = ["FunctionLLM", "LLMRequest", "ModelLLM", "OfflineLLM", "ReplayLLM"]

_FINAL_ANSWER = "Final Answer:"
_CHARACTERS_PER_TOKEN = 4
_CONTEXT_WINDOW = 128_000
ANYBODY = "*"
# What a file of answers may hold by mistake.
_KINDS: Mapping[type, str] = {list: "a list", str: "text", bool: "true or false"}

Answer = str | list[str] | None


def normalised(text: str) -> str:
    """Make names comparable: YAML's folded strings end in a newline, roles differ in case."""
    return " ".join(text.split()).casefold()


@dataclass(frozen=True, slots=True)
class LLMRequest:
    """One call of an offline model.

    Attributes
    ----------
    messages : sequence of mapping
        The conversation, each with ``role`` and ``content``.
    task, agent : object
        The CrewAI task and agent the call is for, None for neither.
    tools : sequence of mapping
        Schemas of the tools that may be called natively.
    response_model : type of pydantic.BaseModel, optional
        The structure the answer must have.
    """

    messages: Sequence[Mapping[str, Any]]
    task: Any = None
    agent: Any = None
    tools: Sequence[Mapping[str, Any]] = ()
    response_model: type[BaseModel] | None = None

    @property
    def prompt(self) -> str:
        """What the user asked last."""
        asked = [m for m in self.messages if m.get("role") == "user"] or [{}]
        return str(asked[-1].get("content") or "")

    @property
    def role(self) -> str:
        """The agent's role, "" without an agent."""
        return str(getattr(self.agent, "role", "") or "").strip()

    @property
    def task_name(self) -> str:
        """The task's name, else its description; "" without a task."""
        name = getattr(self.task, "name", None) or getattr(self.task, "description", None)
        return str(name or "")

    @property
    def wants_final_answer(self) -> bool:
        """Whether the conversation asks for CrewAI's "Final Answer:" form."""
        return any(_FINAL_ANSWER in str(m.get("content") or "") for m in self.messages)


class OfflineLLM(BaseLLM):
    """Base of the models that need no key; subclasses give `reply`.

    Parameters
    ----------
    model : str, optional
        A name that agents of the same mind share; without one, an agent is taken to be alone.
    cost_per_call, cost_per_token : float
        What a call costs, in the unit of the budget (≥ 0).
    native_tools : bool
        Whether tools are called natively (the reply is a list of tool calls) or as ReAct text.
    """

    llm_type: str = "swarmloom_offline"
    model: str = "offline"
    cost_per_call: float = Field(default=0.0, ge=0)
    cost_per_token: float = Field(default=0.0, ge=0)
    native_tools: bool = False

    def __init__(self, **data: Any) -> None:
        # BaseLLM's validator looks at what is given, not at a field's default.
        data.setdefault("model", f"offline/{type(self).__name__}")
        data.setdefault("provider", "offline")
        super().__init__(**data)

    @property
    def is_named(self) -> bool:
        """Whether it was given a `model` name: agents of one name are taken to err together."""
        return self.model != f"offline/{type(self).__name__}"

    @abstractmethod
    def reply(self, request: LLMRequest) -> Any:
        """Answer one request: text, a pydantic instance, or a list of native tool calls."""

    async def areply(self, request: LLMRequest) -> Any:
        """Answer one request within an event loop."""
        return self.reply(request)

    def call(
        self,
        messages: str | list[Any],
        tools: list[dict[str, Any]] | None = None,
        callbacks: list[Any] | None = None,
        available_functions: dict[str, Any] | None = None,
        from_task: Any = None,
        from_agent: Any = None,
        response_model: type[BaseModel] | None = None,
    ) -> Any:
        """Answer as CrewAI asks; see `crewai.BaseLLM.call`."""
        request = _request(messages, from_task, from_agent, tools, response_model)
        with llm_call_context() as call_id:
            self._started(request, callbacks, available_functions)
            try:
                answer = _shaped(self.reply(request), request)
            except Exception as error:
                self._emit_call_failed_event(str(error), from_task, from_agent)
                raise
            return self._finished(call_id, request, answer)

    async def acall(
        self,
        messages: str | list[Any],
        tools: list[dict[str, Any]] | None = None,
        callbacks: list[Any] | None = None,
        available_functions: dict[str, Any] | None = None,
        from_task: Any = None,
        from_agent: Any = None,
        response_model: type[BaseModel] | None = None,
    ) -> Any:
        """Answer as CrewAI asks, within an event loop; see `crewai.BaseLLM.acall`."""
        request = _request(messages, from_task, from_agent, tools, response_model)
        with llm_call_context() as call_id:
            self._started(request, callbacks, available_functions)
            try:
                answer = _shaped(await self.areply(request), request)
            except Exception as error:
                self._emit_call_failed_event(str(error), from_task, from_agent)
                raise
            return self._finished(call_id, request, answer)

    def supports_function_calling(self) -> bool:
        """Whether tools are called natively."""
        return self.native_tools

    def supports_stop_words(self) -> bool:
        """Offline models end where they end."""
        return False

    def get_context_window_size(self) -> int:
        """Tokens a conversation may have; large, so that nothing is summarised away."""
        return _CONTEXT_WINDOW

    def get_input_tokens_count(
        self, messages: Any, tools: Any = None, response_model: Any = None
    ) -> int:
        """Count four characters as one token."""
        if isinstance(messages, str):
            return _tokens(messages)
        return sum(_tokens(str(message.get("content") or "")) for message in messages)

    def usage_of(self, request: LLMRequest, answer: Any) -> dict[str, Any]:
        """Give tokens and cost of one answered request."""
        prompt = self.get_input_tokens_count(list(request.messages))
        completion = max(1, _tokens(answer if isinstance(answer, str) else str(answer)))
        total = prompt + completion
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": total,
        }
        if not (self.cost_per_call or self.cost_per_token):
            return usage
        return {**usage, "cost": self.cost_per_call + self.cost_per_token * total}

    def _started(self, request: LLMRequest, callbacks: Any, available_functions: Any) -> None:
        self._emit_call_started_event(
            messages=list(request.messages),  # type: ignore[arg-type]
            tools=list(request.tools) or None,  # type: ignore[arg-type]
            callbacks=callbacks,
            available_functions=available_functions,
            from_task=request.task,
            from_agent=request.agent,
        )

    def _finished(self, call_id: str, request: LLMRequest, answer: Any) -> Any:
        usage = self.usage_of(request, answer)
        self._track_token_usage_internal(usage)
        meter = current_meter()
        if meter is not None:
            meter.book(call_id, usage)
        calls_tools = isinstance(answer, list)
        self._emit_call_completed_event(
            response=answer,
            call_type=LLMCallType.TOOL_CALL if calls_tools else LLMCallType.LLM_CALL,
            from_task=request.task,
            from_agent=request.agent,
            messages=list(request.messages),  # type: ignore[arg-type]
            usage=usage,
        )
        return answer


class ReplayLLM(OfflineLLM):
    """Answers from a table of recorded answers.

    Parameters
    ----------
    answers : mapping
        Task name (or description) → answer, or → mapping of agent role → answer. An answer is a
        string, or a list of strings for successive calls of the same agent on the same task (the
        last one repeats). The key ``"*"`` stands for any task, any role. None is a recorded
        failure.
    source : str
        Where the table comes from, for messages.

    Examples
    --------
    >>> llm = ReplayLLM(answers={"research": {"Researcher": "Ants follow trails.", "*": None}})
    """

    llm_type: str = "swarmloom_replay"
    answers: dict[str, Any] = Field(default_factory=dict)
    source: str = "the table"
    _table: dict[str, dict[str, Answer]] = PrivateAttr(default_factory=dict)
    _used: dict[tuple[str, str], int] = PrivateAttr(default_factory=dict)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    def model_post_init(self, context: Any, /) -> None:
        """Check the table and make its names comparable."""
        super().model_post_init(context)
        self._table = {normalised(task): _by_role(task, row) for task, row in self.answers.items()}

    @classmethod
    def from_file(cls, path: str | Path, **options: Any) -> Self:
        """Read the table from a YAML or JSON file.

        Raises
        ------
        ConfigurationError
            If the file is missing, is not YAML or JSON, or holds no mapping.
        """
        try:
            answers = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            reason = why_unreadable(error)
            raise ConfigurationError(
                f"cannot read recorded answers from {path}: {reason}"
            ) from None
        except yaml.YAMLError as error:
            raise ConfigurationError(f"{path} is neither YAML nor JSON: {error}") from None
        if not isinstance(answers, dict):
            held = (
                "is empty" if answers is None else f"holds {_KINDS.get(type(answers), 'a value')}"
            )
            raise ConfigurationError(
                f"{path} {held}; allowed: a mapping of task names to answers, or to mappings of "
                "agent roles to answers"
            )
        return cls(answers=answers, source=str(path), **options)

    def reply(self, request: LLMRequest) -> str:
        """Look the answer up by task and role."""
        task, role = normalised(request.task_name), normalised(request.role)
        answer = self._find(request, role)
        if isinstance(answer, list):
            with self._lock:
                turn = self._used.get((task, role), 0)
                self._used[task, role] = turn + 1
            answer = answer[min(turn, len(answer) - 1)]
        if answer is None:
            raise ExpertError(
                f"no recorded answer of {request.role or 'the caller'!r} to "
                f"{request.task_name or request.prompt[:80]!r} in {self.source}"
            )
        return answer

    def _find(self, request: LLMRequest, role: str) -> Answer:
        description = str(getattr(request.task, "description", "") or "")
        for key in (request.task_name, description, request.prompt, ANYBODY):
            row = self._table.get(normalised(key), {})
            for name in (role, ANYBODY):
                if name in row:
                    return row[name]
        return None


class ModelLLM(OfflineLLM):
    """Answers with the prediction of a trained estimator.

    Parameters
    ----------
    estimator : object
        Anything with scikit-learn's ``predict(X)``.
    features : mapping or callable, optional
        Task name → feature row, shape (n_features,). Without it the payload of the swarm's task
        is the row.
    """

    llm_type: str = "swarmloom_model"
    estimator: Any = Field(exclude=True)
    features: Any = Field(default=None, exclude=True)

    def reply(self, request: LLMRequest) -> str:
        """Predict the label of the task's row."""
        row = np.asarray(self._row(request))
        return str(self.estimator.predict(row.reshape(1, -1))[0])

    def _row(self, request: LLMRequest) -> Any:
        if self.features is None:
            return _payload_row(request)
        name = request.task_name
        if callable(self.features):
            return self.features(name)
        if name not in self.features:
            raise InputError(f"no features for task {name!r}; {len(self.features)} tasks have some")
        return self.features[name]


class FunctionLLM(OfflineLLM):
    """Answers with a function.

    Parameters
    ----------
    function : callable
        ``function(request) -> str``, with an `LLMRequest`; may be a coroutine function, and may
        return a pydantic instance or, with ``native_tools``, a list of tool calls.
    """

    llm_type: str = "swarmloom_function"
    function: Callable[[LLMRequest], Any] = Field(exclude=True)

    def reply(self, request: LLMRequest) -> Any:
        """Call the function; a coroutine runs in a loop of its own."""
        result = self.function(request)
        return asyncio.run(_awaited(result)) if inspect.isawaitable(result) else result

    async def areply(self, request: LLMRequest) -> Any:
        """Call the function and await what it returns."""
        result = self.function(request)
        return await result if inspect.isawaitable(result) else result


# CrewAI rebuilds models of dumped crews by these names.
for _cls in (ReplayLLM, ModelLLM, FunctionLLM):
    LLM_TYPE_REGISTRY[_cls.model_fields["llm_type"].default] = f"{__name__}.{_cls.__name__}"


async def _awaited(result: Any) -> Any:
    return await result


def _request(
    messages: str | list[Any],
    task: Any,
    agent: Any,
    tools: list[dict[str, Any]] | None,
    response_model: type[BaseModel] | None,
) -> LLMRequest:
    conversation = (
        [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
    )
    return LLMRequest(conversation, task, agent, tools or (), response_model)


def _shaped(answer: Any, request: LLMRequest) -> Any:
    if isinstance(answer, list):
        return answer
    if request.response_model is not None and not request.tools:
        return _structured(answer, request.response_model)
    if isinstance(answer, BaseModel):
        return answer.model_dump_json()
    text = str(answer)
    if request.tools or not request.wants_final_answer:
        return text
    spoken = _FINAL_ANSWER in text or "\nAction:" in f"\n{text}"
    return text if spoken else f"Thought: I know the answer.\n{_FINAL_ANSWER} {text}"


def _structured(answer: Any, model: type[BaseModel]) -> BaseModel:
    if isinstance(answer, model):
        return answer
    if isinstance(answer, Mapping):
        return model.model_validate(answer)
    return model.model_validate_json(str(answer).rpartition(_FINAL_ANSWER)[2].strip())


def _payload_row(request: LLMRequest) -> Any:
    task = current_task()
    if task is None or task.payload is None:
        raise InputError(
            f"ModelLLM has no features for task {request.task_name!r}: give it `features`, or the "
            "swarm's tasks a payload"
        )
    return task.payload


def _by_role(task: str, row: Any) -> dict[str, Answer]:
    by_role = row if isinstance(row, Mapping) else {ANYBODY: row}
    for role, answer in by_role.items():
        valid = answer is None or isinstance(answer, str)
        if not valid and not (isinstance(answer, list) and answer):
            raise ConfigurationError(
                f"recorded answer of {role!r} to {task!r} is {json.dumps(answer)}; allowed: a "
                "string, a list of strings, null for a failure"
            )
    return {normalised(role): answer for role, answer in by_role.items()}


def _tokens(text: str) -> int:
    return len(text) // _CHARACTERS_PER_TOKEN
