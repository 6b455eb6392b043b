"""Starts `sympozium gateway serve` with a script instead of a model, for one test each."""

import os
import pathlib
import queue
import subprocess
import threading

import openai
import pytest

TOKEN = "a-token-for-tests"
DEADLINE = 30.0
READY = "listening on "


class Gateway:
    """A running gateway, and clients of it."""

    def __init__(self, url: str) -> None:
        self.base_url = f"{url}/v1"

    def client(self, **options) -> openai.OpenAI:
        options = {"api_key": TOKEN, "max_retries": 0, "timeout": DEADLINE} | options
        return openai.OpenAI(base_url=self.base_url, **options)

    def async_client(self) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(base_url=self.base_url, api_key=TOKEN, max_retries=0, timeout=DEADLINE)


@pytest.fixture
def serve(tmp_path: pathlib.Path):
    """A function that serves a script (YAML), under a policy (YAML) if one is given."""
    running: list[subprocess.Popen] = []

    def start(script: str, policy: str | None = None) -> Gateway:
        command = [os.environ["SYMPOZIUM_BIN"], "gateway", "serve", "--listen", "127.0.0.1:0"]
        (tmp_path / "script.yaml").write_text(script)
        command += ["--provider", "scripted", "--script", "script.yaml", "--model", "test-model"]
        if policy is not None:
            (tmp_path / "policy.yaml").write_text(policy)
            command += ["--policy", "policy.yaml"]
        # Nothing of the user's own: neither keys nor stores.
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(tmp_path),
            "SYMPOZIUM_GATEWAY_TOKEN": TOKEN,
        }
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(
                command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
            )
        running.append(process)
        line = first_line(process)
        assert line.startswith(READY), f"{line!r}\n{(tmp_path / 'log').read_text()}"
        return Gateway(line.removeprefix(READY).strip())

    yield start
    for process in running:
        process.terminate()
        try:
            assert process.wait(timeout=DEADLINE) in (0, 130, 143, -15)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def first_line(process: subprocess.Popen) -> str:
    """What the gateway says first, or nothing when it ends or takes too long."""
    lines: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=lambda: lines.put(process.stdout.readline()), daemon=True).start()
    try:
        return lines.get(timeout=DEADLINE).decode()
    except queue.Empty:
        return ""


@pytest.fixture
def hello(serve) -> Gateway:
    """A gateway whose model says hello."""
    return serve(HELLO)


HELLO = """
turns:
  - text: ["Hello, ", "world."]
    usage: {input: 11, output: 3}
  - text: Again.
"""
