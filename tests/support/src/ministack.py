"""Runs MiniStack until standard input ends, so that it never outlives who started it."""

import os
import runpy
import sys
import threading


def end_with_standard_input():
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=end_with_standard_input, daemon=True).start()
sys.argv = ["ministack"]
runpy.run_module("ministack", run_name="__main__")
