import json
import subprocess
import sys
from pathlib import Path

import pytest

from atm.app.pool import pool_sizes
from atm.app.program_config import read
from atm.app.restart import RestartPolicy
from atm.app.single_instance import SingleInstance
from atm.model.errors import Invalid, Refused

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("cores", "share", "expected"),
    [(1, 0.5, (1, 1)), (2, 0.5, (1, 1)), (4, 0.5, (1, 1)), (8, 0.5, (2, 3)), (64, 0.5, (30, 31)), (64, 1.0, (60, 1))],
)
def test_pools_from_cores_and_ratio(cores: int, share: float, expected: tuple[int, int]) -> None:
    assert pool_sizes(cores, share) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"ASRatio": 2}', "ASRatio: 2 is not allowed"),
        ('{"ASRation": 0.5}', "one of the fields ASRatio, symbols"),
        ('{"language": "fr"}', "language: 'fr'"),
        ('{"demoSpeed": 0}', "demoSpeed: 0"),
        ('{"symbols": []}', "symbols: []"),
        ("{", "JSON"),
        ("[]", "a JSON object"),
    ],
)
def test_a_wrong_configuration_is_refused_in_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "c.config"
    path.write_text(text)
    with pytest.raises(Invalid) as refused:
        read(path)
    assert sentence in str(refused.value)
    assert path.read_text() == text


def test_the_shipped_configuration_is_right() -> None:
    assert read(ROOT / "configs" / "programConfig.config").ASRatio == 0.5


def test_only_one_program_per_home_and_a_killed_owner_is_no_obstacle(home: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from atm.app.single_instance import SingleInstance\n"
        f"held = SingleInstance(Path({str(home)!r})); print('held', flush=True); time.sleep(600)"
    )
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert owner.stdout is not None
    assert owner.stdout.readline().strip() == "held"
    with pytest.raises(Refused, match=f"process {owner.pid}"):
        SingleInstance(home)
    owner.kill()
    owner.wait()
    SingleInstance(home).release()


def test_restarts_back_off_and_a_crash_loop_ends() -> None:
    policy = RestartPolicy()
    delays = [policy.died(lived=1.0) for _ in range(8)]
    assert delays == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, None]
    assert RestartPolicy(deaths=7).died(lived=3600) == 0.0


def test_children_share_what_the_fork_server_has_loaded_wherever_the_program_is_started(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from atm.app.process_table import process_context\n"
        "if __name__ == '__main__':\n"
        "    look = \"import sys; print('atm.app.preload' in sys.modules, flush=True)\"\n"
        "    child = process_context().Process(target=exec, args=(look,)); child.start(); child.join()\n"
    )
    script = tmp_path / "start.py"
    script.write_text(code)
    result = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert result.stdout == "True\n", result.stderr


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "main.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.parametrize("command", ["", "attach", "import", "backtest", "demo-exchange", "bench", "doctor"])
def test_every_command_explains_itself(command: str) -> None:
    result = run(*filter(None, [command, "--help"]))
    assert result.returncode == 0
    assert "usage:" in result.stdout


def test_backtest_from_the_command_line(home: Path) -> None:
    table = run("--home", str(home), "backtest", "examples/rqpm_filusdt.toml")
    assert table.returncode == 0, table.stderr
    assert "Maximum drawdown" in table.stdout
    assert "What to know about this result" in table.stdout
    result = run("--home", str(home), "backtest", "examples/rqpm_filusdt.toml", "--json")
    summary = json.loads(result.stdout)
    wanted = (
        "symbols start end trades win_rate net_profit fees funding max_drawdown final_equity liquidations wall_seconds"
    )
    assert set(wanted.split()) <= set(summary)
    assert summary["trade_hash"] in table.stdout


def test_bad_input_on_the_command_line_is_one_sentence_and_an_exit_code(home: Path) -> None:
    result = run("--home", str(home), "backtest", "nowhere.toml")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert "nowhere.toml" in result.stderr
    assert run("--home", str(home), "attach").returncode == 1


def test_the_doctor_finds_a_sound_installation(home: Path) -> None:
    result = run("doctor", "--home", str(home), "--json")
    findings = json.loads(result.stdout)
    assert result.returncode == 0, findings
    assert {"database", "market store", "torch"} <= {finding["name"] for finding in findings}
