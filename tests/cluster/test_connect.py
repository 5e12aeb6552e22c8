"""Reaching a cluster, and one of this machine that keeps to itself."""

import json
import subprocess
import sys

import pytest

from residua.base.errors import SettingError
from residua.cluster.connect import connected

pytest.importorskip("ray", reason="the extra cluster is not installed: make cluster")
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # Ray warns of its own code
]

# In a process of its own: what Ray reads when it is imported stays.
LOOK = """
import json, os
from residua.cluster.connect import connected
with connected("local", cores=1) as cluster:
    import psutil, ray
    assert ray.get(ray.remote(lambda: 3).remote()) == 3
    print("to the standard error")
    own = psutil.Process()
    processes = [own, *own.children(recursive=True)]
    sockets = [socket for each in processes for socket in each.net_connections("tcp")]
    found = {
        "listening": sorted({s.laddr.ip for s in sockets if s.status == psutil.CONN_LISTEN}),
        "commands": [" ".join(each.cmdline()) for each in processes],
        "statistics": os.environ["RAY_USAGE_STATS_ENABLED"],
        "token": os.environ["RAY_AUTH_MODE"], "cores": cluster.cores, "text": str(cluster),
    }
print(json.dumps(found))
"""


def test_a_cluster_of_this_machine_keeps_to_itself(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))  # where Ray puts the token
    told = subprocess.run([sys.executable, "-c", LOOK], check=True, capture_output=True, text=True)
    found = json.loads(told.stdout)
    assert set(found["listening"]) <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
    assert found["listening"]
    pages = [command for command in found["commands"] if "dashboard/dashboard.py" in command]
    assert all("--disable-frontend" in command for command in pages)
    assert (found["statistics"], found["token"]) == ("0", "token")
    assert (tmp_path / ".ray" / "auth_token").stat().st_size > 30
    assert (found["cores"], found["text"]) == (1, "a cluster of this machine: 1 core")
    assert "to the standard error" in told.stderr


def test_a_cluster_that_is_not_there(monkeypatch):
    with pytest.raises(SettingError, match="No cluster answers"), connected("127.0.0.1:1"):
        pass
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(SettingError, match="No cluster answers at auto"), connected("auto"):
        pass
    # As a process of a cluster that was killed names it.
    monkeypatch.delenv("RAY_ADDRESS")
    monkeypatch.setattr("ray._private.services.find_gcs_addresses", lambda: {"127.0.0.1:1"})
    with pytest.raises(SettingError, match="No cluster answers at auto"), connected("auto"):
        pass
    with pytest.raises(SettingError, match="Ray's client"), connected("ray://127.0.0.1:1"):
        pass
