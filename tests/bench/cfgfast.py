"""Function starts of a raw 32-bit ARM kernel with angr, as its documentation
says: a blob at a base address, then CFGFast. Prints how many there are."""

import logging
import sys

logging.disable(logging.WARNING)

import angr

path, base = sys.argv[1], int(sys.argv[2], 16)
options = {"backend": "blob", "arch": "ARMEL", "base_addr": base, "entry_point": base}
project = angr.Project(path, main_opts=options, auto_load_libs=False)
cfg = project.analyses.CFGFast(normalize=False, data_references=True)
print(len(cfg.kb.functions))
