"""The writer of a replica: it commits batches, one at a time, each with a transaction of etcd."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from monotron.store.batch import Observer, Update
from monotron.store.contract import (
    StoreError,
    StoreFull,
    StoreUnavailable,
    StoreUncertain,
    Table,
    UpdateTooLarge,
)
from monotron.store.etcd import etcd_pb2 as pb
from monotron.store.etcd.client import PAUSE_SECONDS, Client, LeaseNotFound, Lost
from monotron.store.etcd.keys import REMOVALS, Keys
from monotron.store.etcd.mark import Mark, fence, new_mark
from monotron.store.etcd.transaction import (
    MAX_OPERATIONS,
    Commit,
    commit_of,
    fits,
    get,
    is_large,
    large_commit_of,
    request_of,
    row_of,
    scan,
    span_of,
    take_fresh,
)
from monotron.store.etcd.turns import Turns
from monotron.store.rounds import Known, Place, Range, Row, run_updates
from monotron.waiting import Waiting

KNOWN_ROWS = 20_000
"""How many rows are remembered from commits: a commit that finds them unchanged fetches nothing."""

KNOWN_BYTES = 4_096
"""Larger rows are not remembered."""

CLOSE_SECONDS = 0.5
"""How long a replica that ends tries to give its mark back."""


@dataclass(frozen=True, slots=True)
class _Run:
    """Updates that have run, and the commit that keeps what they have written."""

    updates: list[Update]
    known: Known
    commit: Commit


class Writer:
    """Commits batches. It is used by one thread at a time."""

    def __init__(
        self,
        client: Client,
        keys: Keys,
        store_id: bytes,
        tables: Sequence[Table],
        observer: Observer,
        waiting: Waiting,
    ) -> None:
        """Tell `waiting` before the writer's thread waits for etcd."""
        self._client = client
        self._waiting = waiting
        self._keys = keys
        self._id = store_id
        self._tables = tables
        self._observer = observer
        self._known = Known()
        self.turns = Turns()
        """The lock of the batches."""
        self._mark: Mark | None = None

    def commit(self, batch: list[Update]) -> None:
        """Run every update of the batch, and set its result or its error.

        It takes one commit, or several if there is too much for one.
        """
        until = self._client.patience()
        while batch:
            batch = batch[self._commit_some(batch, until) :]

    def close(self) -> None:
        """Give the mark back, if that works at once; its lease ends by itself."""
        if self._mark is not None:
            try:
                self._client.revoke(self._mark.lease, time.monotonic() + CLOSE_SECONDS)
            except StoreError:
                return

    def _commit_some(self, batch: list[Update], until: float) -> int:
        """Run the first updates of a batch that fit into a commit; return how many that were."""
        run: _Run | None = None
        began = time.perf_counter()
        if self.turns.are_taken:
            # What is remembered has changed meanwhile, and a fetch costs less than a loss.
            self._known = Known()
        losses = 0
        try:
            while True:
                run = None
                tried = time.perf_counter()
                run = self._run(batch, until)
                why = self._try(run, until)
                if why is None:
                    break
                losses += 1
                if time.monotonic() >= until:
                    raise StoreUnavailable(f"{why}; nothing was taken")
        except StoreFull as failure:
            if run is not None and len(run.updates) > 1:
                for update in run.updates:
                    # Each by itself: a small one may fit, and one that writes nothing always does.
                    self._commit_some([update], until)
                return len(run.updates)
            return _fail(batch[:1] if run else batch, failure)
        except StoreError as failure:
            # If it ran, only it is affected, but there is no time left for those after it.
            return _fail(run.updates if run else batch, failure)
        if run.commit.written:
            self.turns.note(time.perf_counter() - tried, losses)
            self._observer.committed(len(run.updates), time.perf_counter() - began)
        return len(run.updates)

    def _run(self, batch: list[Update], until: float) -> _Run:
        """Run the first updates of a batch; raises a `StoreError` if rows cannot be fetched."""
        known = self._known
        part = run_updates(batch, known, self._fetching(known, until), fits)
        if not is_large(part.reads):
            commit = commit_of(part.reads, part.draft, known, self._keys)
            return _Run(part.updates, known, commit)
        known = Known()
        fetch = self._fetching(known, until, serializable=False)
        since = fetch([(REMOVALS, table) for table in self._tables], {})
        part = run_updates(part.updates, known, fetch, fits)
        commit = large_commit_of(part.reads, part.draft, known, self._keys, since=since)
        return _Run(part.updates, known, commit)

    def _try(self, run: _Run, until: float) -> str | None:
        """Send a commit; return why it was not kept, or None if it was. Raises a `StoreError`."""
        if not run.commit.written:
            return self._check(run, until)
        mark = self._live_mark(until)
        name = mark.next_commit()
        move = mark.move(name)
        request = request_of(run.commit, self._keys, self._id, mark.as_it_was_left(), move)
        self._waiting.let_go()
        try:
            answer = self._client.send(request, until)
        except LeaseNotFound:
            self._mark = None
            return "the lease of this replica had expired"
        except Lost as lost:
            return self._resolve(mark, name, run, lost, until)
        except UpdateTooLarge:
            raise
        except StoreFull as full:
            self._doubt(mark, name, run, full, until)
            return None
        if answer.succeeded:
            self._note_kept(mark, answer.header.revision, run)
            return None
        return self._look(answer, mark, name, run)

    def _check(self, run: _Run, until: float) -> str | None:
        """Do the same for updates that write nothing: what they have read must be as it was."""
        commit = run.commit
        if not commit.compares:
            return None
        request = request_of(commit, self._keys, self._id, None, None)
        self._waiting.let_go()
        answer = self._client.ask(request, until)
        if answer.succeeded:
            return None
        self._refuse_others_store(answer)
        self._note_conflict(run, answer.responses[1:], answer.header.revision)
        return _CONFLICT

    def _look(self, answer: pb.TxnResponse, mark: Mark, name: bytes, run: _Run) -> str | None:
        """Return why a commit was not kept whose conditions did not hold, or None if it was."""
        self._refuse_others_store(answer)
        found = row_of(answer.responses[1].response_range)
        if found.value == name:
            # A copy of it came before.
            self._note_kept(mark, found.version, run)
            return None
        self._note_mark(mark, found)
        self._note_conflict(run, answer.responses[2:], answer.header.revision)
        return _CONFLICT

    def _resolve(self, mark: Mark, name: bytes, run: _Run, lost: Lost, until: float) -> str | None:
        """Find out whether a commit was kept whose answer was lost; if not, it never will be.

        Returns why it was not, or None if it was. Raises `StoreUncertain` if that cannot be found
        out in time.
        """
        self._known = Known()
        shut_out = mark.next_commit()
        while time.monotonic() < until:
            try:
                answer = self._client.send(fence(mark, shut_out), until)
            except Lost as error:
                lost = error
                time.sleep(PAUSE_SECONDS)
                continue
            except (LeaseNotFound, StoreError) as error:
                raise self._uncertain(error) from error
            if answer.succeeded:
                mark.revision = answer.header.revision
                self._observer.resolved()
                return f"etcd does not answer: {lost}"
            found = row_of(answer.responses[0].response_range)
            if found.value is None:
                raise self._uncertain(lost)
            self._observer.resolved()
            if found.value == name:
                self._note_kept(mark, found.version, run)
                return None
            self._note_mark(mark, found)
            return f"etcd does not answer: {lost}"
        raise self._uncertain(lost)

    def _doubt(self, mark: Mark, name: bytes, run: _Run, full: StoreFull, until: float) -> None:
        """Return if a commit was kept though etcd says that its database is full; raises it if not.

        Etcd refuses what comes when it is full. But what came before it was, and is carried out
        after, it keeps, and says the same (`quotaApplierV3` in etcd's apply.go). Either way it is
        done with it. Raises `StoreUncertain` if that cannot be found out in time.
        """
        try:
            answer = self._client.ask(pb.TxnRequest(success=[get(mark.key)]), until)
        except StoreError as error:
            raise self._uncertain(error) from error
        found = row_of(answer.responses[0].response_range)
        if found.value is None:
            raise self._uncertain(full)
        if found.value != name:
            raise full
        self._note_kept(mark, found.version, run)

    def _uncertain(self, error: Exception) -> StoreUncertain:
        self._observer.unknown()
        return StoreUncertain(f"it is not known whether the updates were kept: {error}")

    def _refuse_others_store(self, answer: pb.TxnResponse) -> None:
        if row_of(answer.responses[0].response_range).value != self._id:
            raise StoreUnavailable("the store has been replaced or removed; nothing was taken")

    def _live_mark(self, until: float) -> Mark:
        """Return the mark, with a lease that has not expired; raises `StoreUnavailable`."""
        if self._mark is None or not self._mark.renew_if_due(self._client, until):
            self._mark = new_mark(self._client, self._keys, until)
        return self._mark

    def _note_mark(self, mark: Mark, found: Row) -> None:
        if found.value is None:
            self._mark = None
        else:
            mark.revision = found.version

    def _note_kept(self, mark: Mark, revision: int, run: _Run) -> None:
        """Remember what was written."""
        mark.revision = revision
        if run.known is not self._known:
            self._known = Known()
        rows = self._known.rows
        for table, key, value in run.commit.written:
            rows[table, key] = Row(value, 0 if value is None else revision)
            if value is not None and len(value) > KNOWN_BYTES:
                del rows[table, key]
        self._known.spans.clear()
        for table in self._tables:
            rows.pop((REMOVALS, table), None)
        if len(rows) > KNOWN_ROWS:
            for place in list(islice(rows, KNOWN_ROWS // 2)):
                del rows[place]

    def _note_conflict(self, run: _Run, answers: Sequence[pb.ResponseOp], revision: int) -> None:
        """Remember what the Else has read, and nothing else: other replicas are writing."""
        self._observer.conflicted()
        self._known = Known()
        if run.commit.places or run.commit.spans:
            take_fresh(run.commit, answers, revision, self._keys, self._known)

    def _fetching(
        self, known: Known, until: float, *, serializable: bool = True
    ) -> Callable[[Sequence[Place], dict[Range, int]], int]:
        """Return what fetches into `known`; it returns the revision of the first that it reads.

        If it is serializable, any member may answer without asking the others: what it does not
        know yet, the commit finds changed. That saves a sixth of the time of a commit.
        """

        def fetch(rows: Sequence[Place], spans: dict[Range, int]) -> int:
            removals = dict.fromkeys((REMOVALS, range_.table) for range_ in spans)
            places = [*removals, *rows]
            # Two members may answer two requests, the second with what is older.
            one = serializable and len(places) + len(spans) <= MAX_OPERATIONS
            asked = [get(self._keys.row(place), serializable=one) for place in places]
            asked += [scan(*each, self._keys, serializable=one) for each in spans.items()]
            answers = list[tuple[int, pb.RangeResponse]]()
            for at in range(0, len(asked), MAX_OPERATIONS):
                request = pb.TxnRequest(success=asked[at : at + MAX_OPERATIONS])
                self._waiting.let_go()
                answer = self._client.ask(request, until)
                revision = answer.header.revision
                answers += [(revision, each.response_range) for each in answer.responses]
            for place, (_, found) in zip(places, answers, strict=False):
                row = row_of(found)
                if place in removals and place in known.rows:
                    # The older one counts: spans that are known already were read with it.
                    row = min(row, known.rows[place], key=lambda each: each.version)
                known.rows[place] = row
            for each, (revision, found) in zip(spans.items(), answers[len(places) :], strict=True):
                known.spans[each[0]] = span_of(found, *each, revision, self._keys)
            return answers[0][0]

        return fetch


def _fail(updates: Sequence[Update], failure: StoreError) -> int:
    for update in updates:
        update.error = failure
    return len(updates)


_CONFLICT = "other replicas have changed the same rows each time"
