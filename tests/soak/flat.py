"""Is a series flat? And how it looks as text."""

import statistics

# Less than this says nothing about a slope.
SAMPLES_MIN = 20

BLOCKS = "▁▂▃▄▅▆▇█"


def slope(points):
    """The median of the slopes between all pairs (Theil and Sen): up to 29 % of the points may be anything."""
    slopes = []
    for i, (x, y) in enumerate(points):
        slopes += [(later_y - y) / (later_x - x) for later_x, later_y in points[i + 1 :] if later_x > x]
    return statistics.median(slopes)


def after_warm_up(points):
    """The last two thirds of the time."""
    first, last = points[0][0], points[-1][0]
    return [point for point in points if point[0] >= first + (last - first) / 3]


class Growth:
    """By how much a series grows over its last two thirds: by a line that outliers do not move, and by the medians
    of its first and its last quarter, which tell of a step, too. `absolute` is the line's, `stepped` the larger one."""

    def __init__(self, points):
        settled = after_warm_up(points)
        self.judged = len(settled) >= SAMPLES_MIN
        self.median = statistics.median(y for _, y in settled)
        span = settled[-1][0] - settled[0][0]
        self.absolute = slope(settled) * span if self.judged else 0.0
        quarter = max(1, len(settled) // 4)
        levels = [statistics.median(y for _, y in part) for part in (settled[:quarter], settled[-quarter:])]
        self.stepped = max(self.absolute, levels[1] - levels[0])

    def percent(self, amount):
        return 100 * amount / self.median if self.median else 0.0


def chart(points, columns=60):
    """The series in one line: each character is the median of a part of the time, on a scale that the last two
    thirds fill. Returns the line and the ends of the scale."""
    first, last = points[0][0], points[-1][0]
    parts = [[] for _ in range(columns)]
    for x, y in points:
        parts[min(columns - 1, int((x - first) / ((last - first) or 1) * columns))].append(y)
    medians = [statistics.median(part) if part else None for part in parts]
    settled = [value for value in medians[columns // 3 :] if value is not None]
    low, high = min(settled), max(settled)
    step = (high - low) / (len(BLOCKS) - 1) or 1
    levels = [None if value is None else min(max(value, low), high) for value in medians]
    return "".join(" " if level is None else BLOCKS[round((level - low) / step)] for level in levels), low, high


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
