"""Reads whole answers."""

from msgspec import Raw

from dragoman.providers.openai.event import fault_of as chat_fault
from dragoman.providers.openai.event import read_event as read_chat
from dragoman.providers.responses.event import (
    Whole,
    fault_of,
    finish_of,
    read_item,
    read_response,
    usage_of,
)
from dragoman.providers.responses.message import Gathered
from dragoman.providers.responses.origin import bound_response
from dragoman.wire.hub import Answer, Choice


def read_answer(body: bytes, form: str) -> Answer:
    """Read a whole answer. Raises ValueError when it is none. `form` is as in `Gathered`."""
    if not body.isascii():
        body.decode()
    response = read_response(body)
    fault = fault_of(response.error)
    if response.output is None and fault is None:
        fault = chat_fault(read_chat(body), body)
        if fault is None:
            raise ValueError("an answer without output")
    gathered = gather(response.output or [], form)
    if fault is not None:
        return Answer(choices=(), fault=fault, upstream_id=response.id, native=body)
    return Answer(
        choices=(choice_of(response, gathered),),
        usage=usage_of(response, gathered.searches),
        upstream_id=response.id or None,
        service_tier=response.service_tier,
        native=bound_response(body, form),
    )


def gather(output: list[Raw], form: str) -> Gathered:
    """Return what the items of an answer hold. Raises ValueError."""
    gathered = Gathered(form)
    gathered.add([read_item(each) for each in output])
    return gathered


def choice_of(response: Whole, gathered: Gathered) -> Choice:
    """Return the one choice of an answer."""
    finish, native = finish_of(response, called=gathered.called)
    return Choice(
        index=0,
        message=gathered.message(),
        finish_reason=finish,
        native_finish_reason=native,
        logprobs=gathered.logprobs(),
        steps=gathered.course.steps(),
    )
