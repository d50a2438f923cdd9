"""The canonical order of a sheet, and the cycles that keep it from having one.

Source order where every symbol is bound above its use; else the topological order of the symbol edges that always takes
the lowest free index (DESIGN section 6). Nothing recurses; time is O((V + E) log V).
"""

import heapq
from collections import deque
from collections.abc import Sequence

Needs = Sequence[tuple[int, ...]]


def backward(needs: Needs) -> bool:
    """True if every statement needs only statements above it: source order is canonical."""
    return all(max(sources) < index for index, sources in enumerate(needs) if sources)


def sort(needs: Needs) -> list[int]:
    """The canonical order; shorter than the sheet where cycles hold statements back."""
    waiting = [len(set(sources)) for sources in needs]
    users: list[list[int]] = [[] for _ in needs]
    for index, sources in enumerate(needs):
        for source in set(sources):
            users[source].append(index)
    free = [index for index, count in enumerate(waiting) if not count]
    order: list[int] = []
    while free:
        index = heapq.heappop(free)
        order.append(index)
        for user in users[index]:
            waiting[user] -= 1
            if not waiting[user]:
                heapq.heappush(free, user)
    return order


def cycles(needs: Needs, order: Sequence[int]) -> list[list[int]]:
    """One shortest exact path for each knot of statements that `order` lacks; innocent followers are in none.

    A path [a, b, c] reads: a needs b, b needs c, c needs a; a is the lowest index of the knot.
    """
    done = set(order)
    held = [index for index in range(len(needs)) if index not in done]
    knots = _components({index: [s for s in needs[index] if s not in done] for index in held})
    return sorted(_shortest(needs, set(knot), min(knot)) for knot in knots if len(knot) > 1)


def _components(edges: dict[int, list[int]]) -> list[list[int]]:
    """Strongly connected components (Tarjan 1972), with an explicit stack."""
    number: dict[int, int] = {}
    low: dict[int, int] = {}
    path: list[int] = []
    on_path: set[int] = set()
    found: list[list[int]] = []
    for root, successors_of_root in edges.items():
        if root in number:
            continue
        work = [(root, iter(successors_of_root))]
        number[root] = low[root] = len(number)
        path.append(root)
        on_path.add(root)
        while work:
            node, successors = work[-1]
            follower = next(successors, None)
            if follower is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == number[node]:
                    knot: list[int] = []
                    while not knot or knot[-1] != node:
                        knot.append(path.pop())
                    on_path.difference_update(knot)
                    found.append(knot)
            elif follower not in number:
                number[follower] = low[follower] = len(number)
                path.append(follower)
                on_path.add(follower)
                work.append((follower, iter(edges[follower])))
            elif follower in on_path:
                low[node] = min(low[node], number[follower])
    return found


def _shortest(needs: Needs, knot: set[int], start: int) -> list[int]:
    """The shortest path from `start` back to itself inside its knot, by breadth."""
    came: dict[int, int] = {}
    queue = deque([start])
    while queue:
        node = queue.popleft()
        for follower in sorted(set(needs[node]) & knot):
            if follower == start:
                path = [node]
                while path[-1] != start:
                    path.append(came[path[-1]])
                return path[::-1]
            if follower not in came:
                came[follower] = node
                queue.append(follower)
    return [start]
