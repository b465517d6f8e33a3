from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

import lacuna as package
from lacuna import errors
from lacuna.cli import app, exits, options, render


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version_is_told_before_anything_else_is_imported(flag: str) -> None:
    code = f"""
import sys
from lacuna.cli import main
code = main([{flag!r}])
heavy = {{"typer", "rich", "click", "numpy", "PIL", "cv2", "numba"}} & set(sys.modules)
sys.exit(f"imported {{heavy}}" if heavy else code)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"lacuna {package.__version__}\n", "")


def test_a_bare_command_shows_the_help(lacuna: Callable) -> None:
    ran = lacuna()
    assert ran.code == 0
    for command in ("inpaint", "compare", "verify", "methods"):
        assert command in ran.out


@pytest.mark.parametrize("command", ["inpaint", "compare", "verify", "methods"])
def test_every_command_has_help(lacuna: Callable, command: str) -> None:
    ran = lacuna(command, "-h")
    assert ran.code == 0
    assert "--json" in ran.out


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["colour"], "colour"),
        (["inpaint"], "IMAGE"),
        (["inpaint", "a.png"], "--mask"),
        (["inpaint", "a.png", "--mask", "b.png", "--sed", "1"], "--seed"),
        (["inpaint", "a.png", "--mask", "b.png", "--seed", "one"], "--seed"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_code_2(lacuna: Callable, args: list[str], words: str) -> None:
    ran = lacuna(*args)
    assert (ran.code, ran.out) == (exits.USAGE, "")
    assert words in ran.err
    assert ran.err.count("\n") == 1
    assert "--help" in ran.err


def test_a_wrong_command_line_is_told_as_json_too(lacuna: Callable) -> None:
    ran = lacuna("inpaint", "--json")
    assert ran.json["error"]["exit_code"] == ran.code == exits.USAGE
    assert ran.err == ""


def test_a_bug_is_one_line_unless_the_traceback_is_asked_for(
    lacuna: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lacuna.registry.list_methods", lambda: 1 / 0)
    quiet = lacuna("methods")
    assert quiet.code == exits.BUG
    assert quiet.err.count("\n") == 1
    assert "ZeroDivisionError" in quiet.err
    monkeypatch.setenv(app.DEBUG_VARIABLE, "1")
    assert "Traceback" in lacuna("methods").err


def interrupted_in_numba() -> SystemError:
    error = SystemError("CPUDispatcher returned a result with an exception set")
    error.__cause__ = KeyboardInterrupt()
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (interrupted_in_numba(), 130),
        (errors.Cancelled("by a callback"), 130),
        (MemoryError(), exits.EXIT_CODES[errors.DeviceOutOfMemoryError]),
        (errors.LimitError("too large"), exits.EXIT_CODES[errors.LimitError]),
    ],
)
def test_what_is_raised_becomes_a_code_and_a_line(
    lacuna: Callable, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr("lacuna.registry.list_methods", fail)
    ran = lacuna("methods")
    assert ran.code == code
    assert ran.err.strip().count("\n") == 0
    assert "error: " in ran.err
    assert lacuna("methods", "--json").json["error"]["exit_code"] == code


def test_sigterm_stops_the_work_and_leaves_the_handler_as_it_was(
    lacuna: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("lacuna.registry.list_methods", lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert lacuna("methods").code == exits.TERMINATED
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_command_line_runs_in_another_thread_too(lacuna: Callable) -> None:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(app.run(["methods", "telea", "--json"])))
    thread.start()
    thread.join()
    assert codes == [0]


def test_the_command_line_is_a_module_for_launchers() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lacuna.cli", "--version"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.split()[0]) == (0, "lacuna")


def test_a_closed_pipe_is_no_error_message() -> None:
    code = "import sys; from lacuna.cli import main; sys.exit(main(['methods', '--json']))"
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=closed, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (exits.BROKEN_PIPE, b"")


@pytest.mark.parametrize("text", ["radius", "=5", " = 5"])
def test_an_option_without_key_or_value_is_refused(text: str) -> None:
    with pytest.raises(errors.OptionError, match="key=value"):
        options.pairs([text])


def test_an_option_given_twice_is_refused() -> None:
    with pytest.raises(errors.OptionError, match="twice"):
        options.pairs(["radius=3", "radius=4"])


def test_the_value_of_an_option_may_hold_an_equals_sign() -> None:
    assert options.pairs(["words=a=b", "empty="]) == {"words": "a=b", "empty": ""}


def test_a_message_with_brackets_and_lines_is_printed_as_it_is_on_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = "shape [bold](3, 4)[/bold]\nexpected " + "x" * 200
    render.failure(errors.MaskError(words), 12, as_json=False)
    assert capsys.readouterr().err == f"lacuna: error: {words.replace(chr(10), ' ')}\n"
