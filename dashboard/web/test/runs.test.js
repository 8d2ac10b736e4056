import assert from "node:assert/strict";
import test from "node:test";
import { fold, Points } from "../src/fold.js";
import { HeatCells } from "../src/heatcells.js";
import { Rows } from "../src/rows.js";
import { roundedUp, Runs } from "../src/runs.js";
import { between, snapped, viewOf } from "../src/view.js";

/** @param {string} id */
const series = (id) => ({ id, name: id, unit: "1", attributes: {}, intervalMs: null });

/** The same numbers in each run of the tests. */
function dice() {
  let state = 7;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

/** Ten samples a second, with breaks and missing values, in a ring that lets the oldest go. */
function scene() {
  const random = dice();
  const rows = new Rows(3000);
  const columns = ["a", "b"].map((id) => rows.addColumn(series(id)));
  /** @type {import("../src/lines.js").Line} */
  const plain = { label: "", color: "", columns: [columns[0]], mark: "line" };
  const lines = [plain, { ...plain, columns, mean: true }, { ...plain, columns, highest: true, below: true }];
  let time = 1_700_000_000_000;
  return {
    rows,
    lines,
    random,
    now: () => time,
    /** @param {number} count */
    append(count) {
      for (let at = 0; at < count; at += 1) {
        time += 100;
        const isBreak = random() < 0.01;
        const row = rows.push(time, isBreak ? NaN : time / 100);
        columns.forEach(({ values }) => (values[row] = isBreak || random() < 0.05 ? NaN : random()));
      }
    },
    setBack() {
      time -= 20_000;
      rows.truncate(time);
    },
  };
}

/**
 * @param {Runs} runs
 * @param {Rows} rows
 * @param {import("../src/view.js").View} view
 */
function told(runs, rows, view) {
  runs.update(rows, view, 200);
  const points = new Points();
  fold(points, runs, rows, view);
  const figures = runs.tracks.map((track) => {
    const one = { now: 0, min: 0, mean: 0, max: 0 };
    runs.describe(track, rows, view, one);
    return one;
  });
  return { points: [points.times, ...points.heights].map((numbers) => [...numbers.subarray(0, points.length)]), figures };
}

test("what is remembered of the past is what would be worked out anew", () => {
  const { rows, lines, random, now, append, setBack } = scene();
  const remembered = new Runs(lines);
  const width = (/** @type {number[]} */ times) => times.length;
  for (let picture = 0; picture < 600; picture += 1) {
    append(Math.floor(random() * 30));
    if (picture % 97 === 96) {
      setBack();
    }
    // Live most of the time, and now and then something else: all, a part of the past, another width.
    const kind = random();
    const view =
      kind < 0.8
        ? snapped(viewOf(rows, now() + 30, 60_000), rows, 200)
        : kind < 0.9
          ? viewOf(rows, now(), "all")
          : between(rows, now() - 150_000 * random(), now() - 20_000 * random());
    const [known, fresh] = [told(remembered, rows, view), told(new Runs(lines), rows, view)];
    // The first run may have begun to the left of the view, where nobody sees it.
    const seen = Math.min(...[known, fresh].map(({ points }) => width(points[0]))) - 4;
    for (const at of known.points.keys()) {
      assert.deepEqual(known.points[at].slice(-seen), fresh.points[at].slice(-seen), `picture ${picture}`);
    }
    known.figures.forEach((figures, at) => {
      for (const [kind, value] of Object.entries(figures)) {
        const wanted = /** @type {any} */ (fresh.figures[at])[kind];
        assert.ok(Number.isNaN(value) === Number.isNaN(wanted) && !(Math.abs(value - wanted) > 1e-6), `picture ${picture}: ${kind} ${value}, not ${wanted}`);
      }
    });
  }
});

test("cells that have moved are what would be painted anew", () => {
  const { rows, lines, random, now, append, setBack } = scene();
  const { columns } = lines[1];
  const ramp = new Uint32Array(64).map((_, shade) => shade + 1);
  const kept = new HeatCells(columns);
  for (let picture = 0; picture < 400; picture += 1) {
    append(Math.floor(random() * 30));
    if (picture % 97 === 96) {
      setBack();
    }
    const view = random() < 0.9 ? viewOf(rows, now() + 30, 30_000) : between(rows, now() - 90_000 * random(), now() - 9000 * random());
    const cellMs = picture % 100 < 50 ? 100 : 170;
    const width = HeatCells.enough(900);
    const fresh = new HeatCells(columns);
    const [known, anew] = [kept, fresh].map((cells) => cells.update(rows, 100, view, cellMs, width, ramp));
    const before = Math.round((anew - known) / cellMs);
    assert.ok(before >= 0 && before <= 2 && anew + 2 * cellMs <= view.from && known + width * cellMs >= view.to, `picture ${picture}`);
    for (let core = 0; core < columns.length; core += 1) {
      // The first cells may have been painted by rows to the left of the view.
      const visible = [before, 0].map((skipped) => 4 + skipped + core * width);
      const [one, other] = [kept, fresh].map(({ pixels }, at) => pixels.subarray(visible[at], visible[at] + width - 4 - before));
      assert.deepEqual(one, other, `picture ${picture}`);
    }
  }
  assert.ok(new Set(kept.pixels).size > 20);
});

test("who goes back a little finds cells there, too", () => {
  const { rows, lines, now, append } = scene();
  const { columns } = lines[1];
  const ramp = new Uint32Array(64).map((_, shade) => shade + 1);
  const width = HeatCells.enough(100);
  append(400);
  const cells = new HeatCells(columns);
  for (const [from, to] of [[20_000, 10_000], [20_100, 10_100]]) {
    const view = between(rows, now() - from, now() - to);
    const left = cells.update(rows, 100, view, 100, width, ramp);
    const [first] = [view.from, view.to].map((time) => Math.round((time - left) / 100));
    const row = rows.lowerBound(view.from + 100);
    const isReading = columns.map(({ values }) => !Number.isNaN(values[row]) && !rows.isBreak(row));
    assert.deepEqual(isReading.map((_, core) => cells.pixels[core * width + first] > 0), isReading);
  }
});

test("cells of a past that grows are painted once, until they have become too small", () => {
  const { rows, lines, now, append } = scene();
  const { columns } = lines[1];
  const ramp = new Uint32Array(64).map((_, shade) => shade + 1);
  let read = 0;
  const counted = columns.map((column) => ({
    get values() {
      return new Proxy(column.values, { get: (target, name) => ((read += 1), Reflect.get(target, name)) });
    },
  }));
  const cells = new HeatCells(/** @type {any} */ (counted));
  append(700);
  const pixels = 600;
  for (let picture = 0; picture < 600; picture += 1) {
    append(10);
    const view = snapped(viewOf(rows, now(), "all"), rows, pixels);
    cells.update(rows, 100, view, Math.max(100, roundedUp((2 * (view.to - view.from)) / pixels)), HeatCells.enough(pixels / 2), ramp);
  }
  // 3,000 rows at the most, four times while they double; and the newest cell with each picture.
  assert.ok(read < columns.length * (10 * 3000 + 600 * 30), `${read} readings`);
});

test("a picture of a past that has been seen costs only what is new", () => {
  const { rows, lines, now, append } = scene();
  append(2500);
  let read = 0;
  const counted = lines.map((line) => ({ ...line, columns: line.columns.map((column) => new Proxy(column, { get: (target, name) => ((read += 1), Reflect.get(target, name)) })) }));
  const runs = new Runs(counted);
  runs.update(rows, snapped(viewOf(rows, now(), 200_000), rows, 200), 200);
  const whole = read;
  append(10);
  runs.update(rows, snapped(viewOf(rows, now(), 200_000), rows, 200), 200);
  assert.ok(read - whole < whole / 20, `${read - whole} readings after ${whole}`);
});
