#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Asks for a process in a user namespace of its own, by clone(2); exits with 5 if that is refused."""
import ctypes
import os

CLONE_NEWUSER, SIGCHLD = 0x10000000, 17
NUMBER = {"x86_64": 56}.get(os.uname().machine, 220)

ret = ctypes.CDLL(None).syscall(NUMBER, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)
os._exit(5 if ret < 0 else 0)
