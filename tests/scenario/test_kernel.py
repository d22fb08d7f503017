#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which kernel the products run on: one for the processor, though the library may be older than it."""
import re

import models
from harness import Scenario, main

KERNEL = re.compile(r'event=listening .*blas="OpenBLAS [\d.]+ .*?(\w+) MAX_THREADS')
OLDEST = "Prescott"  # what OpenBLAS falls back to


def has_avx2():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return {"avx2", "fma"} <= set(file.read().split())


class Kernel(Scenario):
    def kernel(self, **environment):
        """Of a microd, which must still be the process that was started."""
        models.write_vector_model(self.folder / "m")
        daemon = self.start(self.folder / "m", env=environment)
        with open(f"/proc/{daemon.process.pid}/comm", encoding="utf-8") as file:
            self.assertEqual(file.read(), "microd\n")
        daemon.stop()
        return KERNEL.findall(daemon.log())[-1]

    def test_it_is_one_for_the_processor(self):
        if not has_avx2():
            self.skipTest("the oldest kernel may be the right one")
        self.assertNotEqual(self.kernel(), OLDEST)

    def test_what_the_environment_says_stays(self):
        self.assertEqual(self.kernel(OPENBLAS_CORETYPE=OLDEST), OLDEST)


if __name__ == "__main__":
    main()
