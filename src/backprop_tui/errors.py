"""The one error that is the user's to mend."""

from __future__ import annotations


class UserError(Exception):
    """One clear line saying what was wrong and how to fix it.

    The command line prints it without a traceback and exits with code 2.
    """
