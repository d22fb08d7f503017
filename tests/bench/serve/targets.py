# SPDX-License-Identifier: Apache-2.0
"""What the figures must be: ratios of two servers in the same rounds, and a few plain numbers."""
import statistics
from dataclasses import asdict, dataclass

NO_WORK, TUNED, PYDANTIC = "no_work", "fastapi", "pydantic"
FEEDBACK = "feedback D=384 base64"
FEEDBACK_TEXT = "feedback text 300 B"
# case: at most so many times the CPU of a request that libmicrohttpd takes without work
OVER_NO_WORK = {
    "text 300 B, 1, keep": 3, "D=384 base64, 1, keep": 3, "D=3072 base64, 1, keep": 6,
    "D=3072 safetensors, 1, keep": 4, "D=3072 numbers, 1, keep": 18}
# case: at least so many times the requests a second of tuned and of idiomatic FastAPI
OVER_FASTAPI = {
    "D=384 base64, 1, keep": (5, 12), "D=384 numbers, 1, keep": (7, 30),
    "D=3072 base64, 1, keep": (3.5, 5), "D=3072 numbers, 1, keep": (4, 20)}
# microd's requests a second with safetensors over tuned FastAPI's with base64
SAFETENSORS_OVER_BASE64 = ("D=3072 safetensors, 1, keep", "D=3072 base64, 1, keep", 5)
FEEDBACK_RATE = 20000           # a second; or the next
FEEDBACK_OVER_REDIS = 0.9
FEEDBACK_OVER_FASTAPI = 10
P99_UNDER_FEEDBACK = 3
RESIDENT_MB = 40                # besides the model


@dataclass
class Verdict:
    """One target and what was measured."""
    what: str
    measured: float
    bound: str      # "<=" or ">="
    target: float
    met: bool = False

    def __post_init__(self):
        self.met = (self.measured >= self.target if self.bound == ">=" else
                    self.measured <= self.target)

    def summary(self):
        return asdict(self)


def ratio(above, below, name):
    """The median over the rounds, in which both had the same neighbours on the machine."""
    return statistics.median(getattr(a, name) / max(getattr(b, name), 1e-9)
                             for a, b in zip(above.samples, below.samples))


def over_no_work(series):
    """(case, CPU a request, the reciprocal of req/s) of microd over no work, of every case."""
    return [(case, ratio(series[case, "microd"], series[case, NO_WORK], "cpu_us"),
             ratio(series[case, NO_WORK], series[case, "microd"], "rate"))
            for case, server in series if server == NO_WORK]


def score_verdicts(series):
    """series: (case, server) -> Series"""
    verdicts = []

    def compare(what, above, below, name, bound, target):
        if above in series and below in series:
            verdicts.append(Verdict(what, ratio(series[above], series[below], name), bound,
                                    target))
    for case, target in OVER_NO_WORK.items():
        compare(f"{case}: CPU a request, microd / no work", (case, "microd"), (case, NO_WORK),
                "cpu_us", "<=", target)
        compare(f"{case}: req/s, no work / microd", (case, NO_WORK), (case, "microd"), "rate",
                "<=", target)
    for case, targets in OVER_FASTAPI.items():
        for server, target in zip((TUNED, PYDANTIC), targets):
            compare(f"{case}: req/s, microd / {server}", (case, "microd"), (case, server), "rate",
                    ">=", target)
    ours, theirs, target = SAFETENSORS_OVER_BASE64
    compare(f"{ours}: req/s, microd / {TUNED} with base64", (ours, "microd"), (theirs, TUNED),
            "rate", ">=", target)
    return verdicts


def feedback_verdicts(series):
    """The first of the two for Redis is enough."""
    verdicts = []
    for case in (FEEDBACK_TEXT, FEEDBACK):
        ours = series.get((case, "microd"))
        if ours is None:
            continue
        verdicts.append(Verdict(f"{case}: req/s", ours.median("rate"), ">=", FEEDBACK_RATE))
        for server, target in (("redis", FEEDBACK_OVER_REDIS), (TUNED, FEEDBACK_OVER_FASTAPI)):
            if (case, server) in series:
                verdicts.append(Verdict(f"{case}: req/s, microd / {server}",
                                        ratio(ours, series[case, server], "rate"), ">=", target))
    return verdicts
