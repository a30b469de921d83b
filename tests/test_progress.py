"""The line below a program's output."""

from __future__ import annotations

import contextlib
import io
import sys

from backprop_tui.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def said(program, terminal=True):
    """What stands on a terminal, or in a file, that both streams lead to."""
    screen = Terminal() if terminal else io.StringIO()
    with contextlib.redirect_stdout(screen), contextlib.redirect_stderr(screen):
        with Progress() as progress:
            program(progress)
        assert sys.stdout is screen and sys.stderr is screen
    return screen.getvalue()


def test_it_makes_way_for_what_is_printed():
    def program(progress):
        progress.say("step 1")
        print("epoch 0")

    assert said(program) == "\r\x1b[2K\x1b[2mstep 1\x1b[0m\r\x1b[2Kepoch 0\n"


def test_it_never_breaks_into_a_line_of_the_programs_own():
    def program(progress):
        print("so far", end="")
        progress.say("step 1")
        print(", done")

    assert said(program) == "so far, done\n"


def test_it_is_taken_away_at_the_end():
    def program(progress):
        progress.say("step 1")
        progress.say("too soon for another look")

    assert said(program) == "\r\x1b[2K\x1b[2mstep 1\x1b[0m\r\x1b[2K"


def test_without_a_terminal_nothing_is_touched():
    def program(progress):
        before = sys.stdout
        progress.say("step 1")
        assert isinstance(before, io.StringIO)

    assert said(program, terminal=False) == ""
