"""Refusals of the command line: one sentence that says what is wrong and what to type instead."""

import argparse
import re
from itertools import takewhile

from pyvae.command.advice import BARE, question


class Refusal(Exception):
    """The user's request cannot be met; the message is one sentence that says why, and what can be done."""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that says in one line what is wrong and, if a word is nearly right, which one was meant."""

    def error(self, message):
        message = re.sub(r"argument (\S+): ignored explicit argument .*", r"\1 takes no value", message)
        self.exit(2, f"{self.prog}: {message}" + ("\n" if message.endswith("?") else f"; see {self.prog} --help\n"))

    def _check_value(self, action, value):
        if action.choices is not None and value not in action.choices:
            choices = ", ".join(action.choices)
            meant = question(value, action.choices)
            raise argparse.ArgumentError(action, f"it must be one of {choices}, not {value!r}{meant}")

    def options(self):
        """All options that it takes, short and long."""
        return list(self._option_string_actions)

    def no_option(self, word):
        """Exit, as no option has this name."""
        word = word.split("=")[0]
        places = [action.metavar for action in self._get_positional_actions()]
        if BARE.get(word) in places:
            self.error(f"there is no option {word}: write {BARE[word]} alone, as in {self.prog} {' '.join(places)}")
        self.error(f"there is no option {word}{question(word, self.options())}")


def refuse_words(words, parser, parsers):
    """Exit where words are wrong in a way that argparse would describe misleadingly."""
    if not words:
        return
    if words[0].startswith("-") and words[0] not in parser.options():
        refuse_first_option(words, parser, parsers)
    parser = parsers.get(words[0], parser)
    for i, word in enumerate(words):
        if re.fullmatch(r"-[a-z][a-z-]+(=.*)?", word):  # one dash: argparse reads -h out of it where it can
            parser.no_option(word)
        numbers = list(takewhile(re.compile(r"\d+,?").fullmatch, words[i + 1 :]))
        if word in ("--hidden", "--decay-at") and len(numbers) > 1:
            parser.error(f"write {word} {','.join(number.strip(',') for number in numbers)}")


def refuse_first_option(words, parser, parsers):
    """Exit, as the first word is no option of the program; it may be one of a command."""
    option = words[0].split("=")[0]
    named = [word for word in words if word in parsers]
    command = next((name for name in (*named, *parsers) if option in parsers[name].options()), None)
    if command is not None:
        parser.error(f"put {option} after the command: pyvae {command} {option}")
    parser.no_option(option)


def refuse_rest(words, parser):
    """Exit where argparse left words over."""
    option = next((word for word in words if word.startswith("-")), None)
    if option is not None:
        parser.no_option(option)
    if words:
        is_number = words[0].isdigit() and "-n" in parser.options()
        meant = f"; did you mean -n {words[0]}?" if is_number else ": options begin with --"
        parser.error(f"{words[0]!r} is one word too many{meant}")
