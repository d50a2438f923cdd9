"""What the bench runs: a small catalog, its tables, sheets of any size, and the same rows written by plain sqlite3."""

import sqlite3
import time
from pathlib import Path

CATALOG = """
version: 1
entities:
  client: {table: clients, key: client_id, display: name, search: [name], natural_key: [name, country]}
  company: {table: companies, key: company_id, display: name, search: [name], natural_key: [name, country]}
  node: {table: nodes, key: node_id, display: name, search: [name], natural_key: [name]}
verbs:
  client.ensure:
    kind: ensure
    entity: client
    arguments:
      name: {type: string, required: true, max_length: 200}
      country: {type: string, required: true, pattern: "[A-Z]{2}"}
  company.ensure:
    kind: ensure
    entity: company
    arguments:
      name: {type: string, required: true, max_length: 200}
      country: {type: string, required: true, pattern: "[A-Z]{2}"}
  client.assign-role:
    kind: link
    table: roles
    natural_key: [client_id, company_id, role]
    arguments:
      client-id: {type: entity, entity: client, required: true}
      company-id: {type: entity, entity: company, required: true}
      role: {type: string, required: true}
  node.ensure:
    kind: ensure
    entity: node
    arguments:
      name: {type: string, required: true}
      parent: {type: entity, entity: node, column: parent_id}
"""

SCHEMA = """
CREATE TABLE IF NOT EXISTS clients (
  client_id TEXT PRIMARY KEY, name TEXT NOT NULL, country TEXT NOT NULL, UNIQUE (name, country)
);
CREATE TABLE IF NOT EXISTS companies (
  company_id TEXT PRIMARY KEY, name TEXT NOT NULL, country TEXT NOT NULL, UNIQUE (name, country)
);
CREATE TABLE IF NOT EXISTS roles (
  client_id TEXT NOT NULL, company_id TEXT NOT NULL, role TEXT NOT NULL, UNIQUE (client_id, company_id, role)
);
CREATE TABLE IF NOT EXISTS nodes (node_id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, parent_id TEXT);
"""

_RESULTS = """
CREATE TABLE results (
  execution INTEGER, statement INTEGER, status INTEGER, key TEXT, PRIMARY KEY (execution, statement)
)
"""


def two_phases(count: int, mark: str) -> str:
    """A quarter clients, a quarter companies, half links; about 80 bytes a statement."""
    quarter = count // 4
    lines = [
        f'(client.ensure :name "{mark} Pension Client {i:06d}" :country "LU" :as @client_{i})\n' for i in range(quarter)
    ]
    lines += [
        f'(company.ensure :name "{mark} Depositary {i:06d}" :country "DE" :as @company_{i})\n' for i in range(quarter)
    ]
    for i in range(quarter):
        for step in (0, 7):
            company = (i + step) % quarter
            lines.append(
                f'(client.assign-role :client-id @client_{i} :company-id @company_{company} :role "CUSTODIAN")\n'
            )
    return "".join(lines)


def chain(count: int, mark: str) -> str:
    """Every statement needs the one above it."""
    first = f'(node.ensure :name "{mark} Node 000000" :as @n0)\n'
    return first + "".join(
        f'(node.ensure :name "{mark} Node {i:06d}" :parent @n{i - 1} :as @n{i})\n' for i in range(1, count)
    )


def independent(count: int, mark: str) -> str:
    """No statement needs another; otherwise as the chain."""
    first = f'(node.ensure :name "{mark} Root" :as @root)\n'
    return first + "".join(f'(node.ensure :name "{mark} Node {i:06d}" :parent @root)\n' for i in range(1, count))


class Baseline:
    """The same rows by hand: executemany in one transaction, one look-up a row, one result row a statement."""

    def __init__(self, folder: Path) -> None:
        self._connection = sqlite3.connect(folder / "baseline.db", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA cache_size = -32768")  # as the service's
        self._connection.executescript(SCHEMA + _RESULTS)
        self._number = 0
        self._keys = 0

    def run(self, count: int, mark: str) -> float:
        """Seconds for a two-phase sheet of `count` statements, from ready-made tuples."""
        self._number += 1
        quarter = count // 4
        clients = [(self._key(), f"{mark} Pension Client {i:06d}", "LU") for i in range(quarter)]
        companies = [(self._key(), f"{mark} Depositary {i:06d}", "DE") for i in range(quarter)]
        pairs = [(i, (i + step) % quarter) for i in range(quarter) for step in (0, 7)]
        roles = [(clients[i][0], companies[j][0], "CUSTODIAN") for i, j in pairs]
        keys = [row[0] for row in clients] + [row[0] for row in companies] + [None] * len(roles)
        results = [(self._number, i, 1, key) for i, key in enumerate(keys)]
        named = [(*row, row[1], row[2]) for row in clients], [(*row, row[1], row[2]) for row in companies]
        linked = [row + row for row in roles]
        began = time.perf_counter()
        self._connection.execute("BEGIN IMMEDIATE")
        for table, rows in zip(("clients", "companies"), named, strict=True):
            self._connection.executemany(
                f"INSERT INTO {table} SELECT ?, ?, ? WHERE NOT EXISTS"
                f" (SELECT 1 FROM {table} WHERE name = ? AND country = ?)",
                rows,
            )
        self._connection.executemany(
            "INSERT INTO roles SELECT ?, ?, ? WHERE NOT EXISTS"
            " (SELECT 1 FROM roles WHERE client_id = ? AND company_id = ? AND role = ?)",
            linked,
        )
        self._connection.executemany("INSERT INTO results VALUES (?, ?, ?, ?)", results)
        self._connection.execute("COMMIT")
        return time.perf_counter() - began

    def _key(self) -> str:
        """Rising, as the service's UUIDv7s are: random keys would cost the baseline twice its time."""
        self._keys += 1
        return f"01970000-0000-7000-8000-{self._keys:012x}"

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()
