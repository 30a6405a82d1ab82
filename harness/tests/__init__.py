# SPDX-License-Identifier: MIT
"""The harness's own tests: good streams, broken streams, and QEMUs that lie."""
