"""One order for everything: commands that partitions, revisions and the clock put before each other must not go round
in a circle, or no single history has all the replies."""

from itertools import pairwise

from chronicle import CLOCK_MS


class Order:
    def __init__(self, deeds):
        """`deeds`: by number. First come those of one partition in its order, and what was answered before another
        command was posted."""
        self.deeds = deeds
        # Behind the commands come the moments of their replies, in order.
        self.moments = sorted(range(len(deeds)), key=lambda number: deeds[number].replied)
        self.after = [[] for _ in range(2 * len(deeds))]
        self.add_partitions()
        self.add_moments()

    def add(self, before, after):
        self.after[before].append(after)

    def add_partitions(self):
        ordered = sorted(self.deeds, key=lambda deed: (deed.partition, deed.offset))
        for one, next_one in pairwise(ordered):
            if one.partition == next_one.partition:
                self.add(one.number, next_one.number)

    def add_moments(self):
        count = len(self.deeds)
        for place, number in enumerate(self.moments):
            self.add(number, count + place)
            if place:
                self.add(count + place - 1, count + place)
        reached = 0
        for deed in sorted(self.deeds, key=lambda deed: deed.posted):
            while reached < count and self.deeds[self.moments[reached]].replied < deed.posted - CLOCK_MS:
                reached += 1
            if reached:
                self.add(count + reached - 1, deed.number)

    def add_account(self, chronicle):
        changes = chronicle.changes
        for revision in range(2, chronicle.revision + 1):
            self.add_pair(changes[revision - 1], changes[revision])
        for look, first, last in chronicle.spans:
            if first > 0:
                self.add_pair(changes[first], look)
            if last < chronicle.revision:
                self.add_pair(look, changes[last + 1])

    def add_pair(self, before, after):
        if before.deed.number != after.deed.number:
            self.add(before.deed.number, after.deed.number)

    def circle(self):
        """Commands that would each have to come before the next one, and the last before the first; or none."""
        waiting = [0] * len(self.after)
        for followers in self.after:
            for follower in followers:
                waiting[follower] += 1
        free = [number for number, count in enumerate(waiting) if count == 0]
        for number in free:
            for follower in self.after[number]:
                waiting[follower] -= 1
                if waiting[follower] == 0:
                    free.append(follower)
        if len(free) == len(self.after):
            return []
        return self.find_circle(waiting)

    def find_circle(self, waiting):
        """Whoever still waits has somebody before who waits, too: go back until somebody comes again."""
        before = {}
        for number, followers in enumerate(self.after):
            for follower in followers if waiting[number] else ():
                before[follower] = number
        number = next(number for number, count in enumerate(waiting) if count and number in before)
        way = {}
        while number not in way:
            way[number] = len(way)
            number = before[number]
        circle = [each for each in way if way[each] >= way[number]]
        return [self.deeds[each] for each in reversed(circle) if each < len(self.deeds)]
