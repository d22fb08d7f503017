# SPDX-License-Identifier: Apache-2.0
"""The table, as it is measured, and the targets."""

ROW = "{:<28} {:<9} {:>9} {:>9} {:>8} {:>8} {:>9} {:>6} {:>6}"


def number(value):
    """Three digits that matter, and no more than one after the point of large ones."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def print_head(machine, options):
    print(f"{machine['date']}: {machine['processor']}, {machine['cores']} cores, Linux "
          f"{machine['kernel']}; medians of {options.rounds} rounds of {options.seconds} s.")
    print("CPU is the server's own, user and system, for a request; the load runs on the same "
          "cores.\n")
    print(ROW.format("case, pairs, connection", "server", "req/s", "pairs/s", "p50 ms", "p99 ms",
                     "CPU us", "cores", "MB"), flush=True)


def print_row(case, server, series):
    values = [number(value) for value in (
        series.median("rate"), series.median("rate") * series.pairs, series.median("p50_ms"),
        series.median("p99_ms"), series.median("cpu_us"), series.median("busy"),
        series.median("resident_mb"))]
    note = f"  {series.failed} failed" if series.failed else ""
    print(ROW.format(case, server, *values) + note, flush=True)


def print_beside(alone, beside, rates):
    """Every round of the p99, and the feedback a second meanwhile."""
    print("  p99 beside / alone, ms: " + ", ".join(
        f"{number(b.p99_ms)} / {number(a.p99_ms)}" for a, b in zip(alone.samples, beside.samples)))
    print("  feedback meanwhile, a second: " + ", ".join(number(rate) for rate in rates))


def print_verdicts(verdicts):
    print(f"\n{'target':<66} {'measured':>9} {'want':>9}")
    for verdict in verdicts:
        print(f"{verdict.what:<66} {number(verdict.measured):>9} "
              f"{verdict.bound} {number(verdict.target):>6}  {'met' if verdict.met else 'MISSED'}")


def print_ratios(ratios):
    """ratios: (case, CPU a request over that without work, req/s without work over that)."""
    print(f"\n{'microd / no work':<28} {'CPU':>9} {'1 / rate':>9}")
    for case, cpu, rate in ratios:
        print(f"{case:<28} {number(cpu):>9} {number(rate):>9}")
