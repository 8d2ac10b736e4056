/**
 * Why there are no samples, in the words of a person.
 */

/** @type {Record<string, string>} */
const REASONS = {
  restarted: "the daemon was restarted",
  evicted: "lost: they were gone before this page came back",
  slow: "lost: this page did not read fast enough",
  missing: "lost on the way",
  down: "not recorded: the recorder was not running",
  no_space: "not recorded: the recorder could not write",
  damaged: "the recording cannot be read there",
  late: "not taken: the daemon was held up",
  suspended: "not taken: the host was suspended",
  clock: "the host's clock was set back",
  clock_forward: "the host's clock was set forward",
  waiting: "nothing has come since",
};

/** @param {string} reason */
export function reasonText(reason) {
  return `no samples: ${REASONS[reason] ?? reason.replaceAll("_", " ")}`;
}
