"""The pytest plugin: a fixture that checks the gradients of a test.

    def test_training(gradients):
        loss_fn(model(x), y).backward()

Nothing of torch is imported until a test asks for it.
"""

from __future__ import annotations

import inspect
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .api import Tape
    from .recorder import Recorder

_RECORDING: pytest.StashKey[Recorder] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("backprop-tui").addoption(
        "--backprop-capsule",
        metavar="DIR",
        help="write a repro capsule of every op whose gradient is wrong into DIR",
    )


@pytest.fixture
def gradients(request: pytest.FixtureRequest) -> Tape:
    """The tape of this test, which fails at its end if a gradient is wrong.

    Every backward pass of the test is checked; the tape is complete when the test is over. A
    test that names the fixture has to differentiate something; under ``usefixtures`` there may
    be nothing to check.
    """
    from .assertion import recording

    request.node.stash[_RECORDING] = recorder = recording()
    return recorder.tape  # type: ignore[return-value]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    recorder = item.stash.get(_RECORDING, None)
    if recorder is None:
        return (yield)
    with recorder as tape:
        result = yield
    function = getattr(item, "function", None)
    named = function is not None and "gradients" in inspect.signature(function).parameters
    if tape.backwards or named:
        _check(tape, item.config.getoption("--backprop-capsule"))
    return result


def _check(tape: Any, capsule: str | None) -> None:
    from .assertion import verified

    try:
        verified(tape, capsule)
    except (AssertionError, ValueError) as error:
        pytest.fail(str(error), pytrace=False)
