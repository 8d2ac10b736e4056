/**
 * Which charts there are, in their order on the page, and which series each of them shows.
 */

import { readingOf } from "./lines.js";
import { named, physicalDevices, physicalInterfaces, plain, valuesOf } from "./selection.js";
import { byteRate, bytes, celsius, load, networkRate, networkSteps, percent, perSecond, text } from "./units.js";

/**
 * @typedef {import("./panel.js").PanelKind} PanelKind
 * @typedef {import("./store.js").Store} Store
 * @typedef {import("./lines.js").Line} Line
 * @typedef {import("./rows.js").Column} Column
 *
 * @typedef {object} SectionKind
 * @property {string} id
 * @property {string} title
 * @property {(store: Store) => PanelKind[]} panels  what it may hold on this host
 */

/** Of lines that are as many as the host has. When there are no more colours, they begin again with another stroke. */
const LINE_COLORS = ["blue", "orange", "green", "purple", "sky"];
/** @type {import("./lines.js").Stroke[]} */
const STROKES = ["solid", "dashed", "dotted"];

const binary = () => ({ binary: true });

const UTILIZATION = "system.cpu.utilization";
const PAGING = "system.paging.usage";
const INTERFACE = "network.interface.name";
const DEVICE = "system.device";
const CORE = "cpu.logical_number";
const NETWORK_DIRECTION = "network.io.direction";
const DISK_DIRECTION = "disk.io.direction";

/** From the bottom of the stack upwards. @type {[mode: string, color: string][]} */
const CPU_MODES = [
  ["user", "blue"],
  ["nice", "sky"],
  ["system", "orange"],
  ["interrupt", "purple"],
  ["steal", "red"],
  ["iowait", "grey"],
];

/** @type {[state: string, color: string, mark: Line["mark"]][]} */
const MEMORY_STATES = [
  ["used", "purple", "stack"],
  ["buffers", "sky", "stack"],
  ["cached", "green", "stack"],
  // What is left up to the limit is free: it is the empty part of the picture.
  ["free", "grey", "none"],
];

/** @type {[resource: string, color: string][]} */
const PRESSURES = [
  ["cpu", "blue"],
  ["memory", "purple"],
  ["io", "orange"],
];

/** @type {PanelKind} */
const cpu = {
  id: "cpu",
  title: "CPU",
  picture({ columns }) {
    const modes = CPU_MODES.flatMap(([mode, color]) =>
      line(mode === "interrupt" ? "irq" : mode, color, named(columns, UTILIZATION, { "cpu.mode": mode }), { mark: "stack" }),
    );
    const total = line("total", modes.length > 0 ? "ink" : "blue", plain(columns, UTILIZATION), {
      mark: modes.length > 0 ? "line" : "area",
      mean: modes.length > 0,
    });
    return unlessEmpty([...total, ...modes], { format: percent, floor: 1, ceiling: () => 1 });
  },
};

/** @type {PanelKind} */
const cores = {
  id: "cores",
  title: "Cores",
  heat: coresOf,
  picture(store) {
    const lines = coresOf(store).flatMap((core, at) =>
      oneOfMany(`core ${core.series.attributes[CORE]}`, at, core),
    );
    return unlessEmpty(lines, { format: percent, floor: 1, ceiling: () => 1 });
  },
};

/** @type {PanelKind} */
const memory = {
  id: "memory",
  title: "Memory",
  picture({ columns }) {
    const limit = plain(columns, "system.memory.limit");
    const states = MEMORY_STATES.flatMap(([state, color, mark]) =>
      line(state, color, named(columns, "system.memory.usage", { "system.memory.state": state }), { mark }),
    );
    return unlessEmpty(
      [...states, ...line("available", "ink", plain(columns, "system.linux.memory.available"), { stroke: "dashed" })],
      { format: bytes, floor: 1024 ** 2, ceiling: ({ last }) => readingOf(limit, last), steps: binary },
    );
  },
};

/** @type {PanelKind} */
const swap = {
  id: "swap",
  title: "Swap",
  picture({ columns }) {
    const used = named(columns, PAGING, { "system.paging.state": "used" });
    const all = named(columns, PAGING);
    return unlessEmpty(line("used", "red", used, { mark: "area" }), {
      format: bytes,
      floor: 1024 ** 2,
      ceiling: ({ last }) => readingOf(all, last),
      steps: binary,
    });
  },
};

/** @type {PanelKind} */
const loads = {
  id: "load",
  title: "Load",
  picture({ columns, hello }) {
    const cpus = hello?.host.cpus ?? NaN;
    /** @param {string} span */
    const over = (span) => plain(columns, `system.cpu.load_average.${span}`);
    return unlessEmpty(
      [
        ...line("1 min", "blue", over("1m"), { mark: "area" }),
        ...line("5 min", "orange", over("5m"), { stroke: "dashed" }),
        ...line("15 min", "green", over("15m")),
      ],
      {
        format: load,
        floor: 1,
        ...(cpus > 0 && { reference: { value: cpus, label: cpus === 1 ? "1 CPU" : `${cpus} CPUs` } }),
      },
    );
  },
};

/** @type {PanelKind} */
const pressure = {
  id: "pressure",
  title: "Pressure",
  picture({ columns }) {
    const lines = PRESSURES.flatMap(([resource, color]) => {
      /** @param {string} level */
      const at = (level) =>
        named(columns, "system.linux.pressure", { "system.pressure.resource": resource, "system.pressure.level": level });
      return [
        ...line(resource, color, at("some")),
        // The kernel reports "full" for the CPU of a whole host too, but it is always zero.
        ...(resource === "cpu" ? [] : line(`${resource}, all`, color, at("full"), { stroke: "dashed" })),
      ];
    });
    return unlessEmpty(lines, { format: percent, floor: 0.05, most: 1 });
  },
};

/** @type {PanelKind} */
const temperature = {
  id: "temperature",
  title: "Temperatures",
  picture({ columns }) {
    const lines = named(columns, "hw.temperature").flatMap((sensor, at) => {
      const { attributes } = sensor.series;
      const label = attributes["hw.name"] ?? attributes["hw.id"] ?? "sensor";
      return oneOfMany(label, at, sensor);
    });
    return unlessEmpty(lines, { format: celsius, floor: 60, bottom: 20 });
  },
};

/**
 * What goes into the host above, what goes out below.
 * @param {Store} store
 * @param {string[]} names  of interfaces, which are added up
 * @param {string} metric
 */
function networkLines({ columns }, names, metric) {
  /** @param {string} direction */
  const going = (direction) =>
    names.flatMap((name) => named(columns, metric, { [INTERFACE]: name, [NETWORK_DIRECTION]: direction }));
  return [
    ...line("in", "green", going("receive"), { mark: "area" }),
    ...line("out", "orange", going("transmit"), { mark: "area", below: true }),
  ];
}

/**
 * @param {Store} store
 * @param {string[]} names  of devices
 * @param {string} metric
 */
function diskLines({ columns }, names, metric) {
  /** @param {string} direction */
  const going = (direction) =>
    names.flatMap((name) => named(columns, metric, { [DEVICE]: name, [DISK_DIRECTION]: direction }));
  return [
    ...line("read", "sky", going("read"), { mark: "area" }),
    ...line("write", "purple", going("write"), { mark: "area", below: true }),
  ];
}

/** @type {PanelKind} */
const network = {
  id: "network",
  title: "Network",
  picture: (store) =>
    unlessEmpty(networkLines(store, physicalInterfaces(interfacesOf(store)), "system.network.io"), {
      format: networkRate,
      floor: 125,
      steps: networkSteps,
    }),
};

/** @type {PanelKind} */
const packets = {
  id: "packets",
  title: "Packets",
  picture: (store) =>
    unlessEmpty(networkLines(store, physicalInterfaces(interfacesOf(store)), "system.network.packet.count"), {
      format: perSecond,
      floor: 10,
    }),
  note({ columns }, row) {
    const errors = readingOf(named(columns, "system.network.errors"), row);
    const dropped = readingOf(named(columns, "system.network.packet.dropped"), row);
    return [errors > 0 ? `${text(perSecond(errors))} errors` : [], dropped > 0 ? `${text(perSecond(dropped))} dropped` : []]
      .flat()
      .join(", ");
  },
};

/** @type {PanelKind} */
const disk = {
  id: "disk",
  title: "Disk",
  picture: (store) =>
    unlessEmpty(diskLines(store, physicalDevices(devicesOf(store)), "system.disk.io"), {
      format: byteRate,
      floor: 1024,
      steps: binary,
    }),
};

/** @type {PanelKind} */
const operations = {
  id: "operations",
  title: "Disk operations",
  picture: (store) =>
    unlessEmpty(diskLines(store, physicalDevices(devicesOf(store)), "system.disk.operations"), { format: perSecond, floor: 10 }),
};

/** @param {string} name @returns {PanelKind} */
const oneInterface = (name) => ({
  id: `network-${name}`,
  title: name,
  small: true,
  picture: (store) =>
    unlessEmpty(networkLines(store, [name], "system.network.io"), { format: networkRate, floor: 125, steps: networkSteps }),
});

/** @param {string} name @returns {PanelKind} */
const oneDevice = (name) => ({
  id: `disk-${name}`,
  title: name,
  small: true,
  picture: (store) => unlessEmpty(diskLines(store, [name], "system.disk.io"), { format: byteRate, floor: 1024, steps: binary }),
});

/** @type {SectionKind[]} */
export const SECTIONS = [
  { id: "processor", title: "Processor", panels: () => [cpu, cores, loads, pressure] },
  { id: "memory", title: "Memory", panels: () => [memory, swap] },
  { id: "network", title: "Network", panels: () => [network, packets] },
  { id: "interfaces", title: "Network interfaces", panels: (store) => unlessAlone(interfacesOf(store)).map(oneInterface) },
  { id: "disk", title: "Disks", panels: () => [disk, operations] },
  { id: "devices", title: "Each disk", panels: (store) => unlessAlone(devicesOf(store)).map(oneDevice) },
  { id: "temperature", title: "Temperatures", panels: () => [temperature] },
];

/** @param {Store} store */
export function interfacesOf(store) {
  return valuesOf(named(store.columns, "system.network.io"), INTERFACE);
}

/** @param {Store} store */
export function devicesOf(store) {
  return valuesOf(named(store.columns, "system.disk.io"), DEVICE);
}

/** @param {Store} store */
function coresOf(store) {
  const all = named(store.columns, UTILIZATION).filter(({ series }) => CORE in series.attributes);
  return all.sort((a, b) => Number(a.series.attributes[CORE]) - Number(b.series.attributes[CORE]));
}

/**
 * One alone is what the chart of all shows already.
 * @param {string[]} names
 */
const unlessAlone = (names) => (names.length > 1 ? names : []);

/**
 * @param {string} label
 * @param {string} color
 * @param {Column[]} columns
 * @param {Partial<Line>} [traits]
 * @returns {Line[]}  none where the host has no such series
 */
function line(label, color, columns, traits = {}) {
  return columns.length === 0 ? [] : [{ label, color: `chart-${color}`, columns, mark: "line", ...traits }];
}

/**
 * @param {string} label
 * @param {number} at  its place among them
 * @param {Column} column
 */
function oneOfMany(label, at, column) {
  const stroke = STROKES[Math.floor(at / LINE_COLORS.length) % STROKES.length];
  return line(label, LINE_COLORS[at % LINE_COLORS.length], [column], { stroke });
}

/**
 * @param {Line[]} lines
 * @param {Omit<import("./linechart.js").Picture, "lines">} traits
 */
function unlessEmpty(lines, traits) {
  return lines.some(({ mark }) => mark !== "none") ? { lines, ...traits } : null;
}
