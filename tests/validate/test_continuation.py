"""What a ledger says of the machines that decide its images."""

import json
import os
import subprocess
import sys

import pytest

from resnext.distributed.job import Job
from tests.support.golden import ROOT
from tests.support.ports import free_port
from validate.continuation import machine_of

SCRIPT = """
import json, os, sys
if os.environ["RANK"] == "1":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from resnext.distributed.job import join
from validate.continuation import machine_of
with join() as job:
    print(json.dumps(machine_of(job, {"processor": "P" + os.environ["RANK"], "system": "S"})))
"""
HERE = {"processor": "P", "python": "3.11", "numpy": "2"}


def test_machine_of_one_process_is_its_own() -> None:
    found = machine_of(Job(), HERE)
    assert found == {"python": "3.11", "processor": "P", "cores": len(os.sched_getaffinity(0))}


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one processor")
def test_machines_of_a_job_are_all_named() -> None:
    port = str(free_port())
    processes = []
    for rank in ("0", "1"):
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "RANK": rank,
            "LOCAL_RANK": rank,
            "WORLD_SIZE": "2",
            "LOCAL_WORLD_SIZE": "2",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
        }
        command = [sys.executable, "-c", SCRIPT]
        processes.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        )
    said = [process.communicate(timeout=120)[0] for process in processes]
    cores = len(os.sched_getaffinity(0))
    assert json.loads(said[0]) == {"system": "S", "processor": "P0; P1", "cores": f"{cores}; 1"}
