/**
 * What hands do to a chart: point, pick a part of the past, zoom, pan. All charts share the result.
 * Fingers that move up or down, and a wheel over a chart that was not clicked, scroll the page.
 */

/**
 * @typedef {import("./plot.js").Plot} Plot
 * @typedef {import("./shown.js").Shown} Shown
 */

/** A shorter drag is a click. */
const DRAG_PIXELS = 5;
const WHEEL_STEP = 1.0018;
const KEY_STEP = 1.5;
/** Of the view, for one press of an arrow. */
const KEY_SHARE = { point: 1 / 60, pan: 1 / 5 };

/**
 * @param {HTMLElement} body
 * @param {Plot} plot
 * @param {Shown} shown
 */
export function listen(body, plot, shown) {
  /** Fingers that are down, and where. @type {Map<number, number>} */
  const touches = new Map();
  /** @type {{ x: number, moved: boolean } | null} */
  let drag = null;
  /** @param {MouseEvent} event */
  const at = (event) => event.clientX - body.getBoundingClientRect().left;

  body.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) {
      return;
    }
    if (event.pointerType === "touch") {
      touches.set(event.pointerId, at(event));
      return;
    }
    drag = { x: at(event), moved: false };
    body.setPointerCapture(event.pointerId);
  });
  body.addEventListener("pointermove", (event) => {
    const x = at(event);
    const before = touches.get(event.pointerId);
    if (before !== undefined) {
      moveTouch(event.pointerId, before, x);
      return;
    }
    shown.point(plot.timeAt(x));
    if (drag && (drag.moved || Math.abs(x - drag.x) >= DRAG_PIXELS)) {
      drag.moved = true;
      plot.showSelection(drag.x, x);
    }
  });
  /** @param {PointerEvent} event */
  const release = (event) => {
    if (touches.delete(event.pointerId)) {
      if (event.type === "pointerup") {
        shown.point(plot.timeAt(at(event)));
      }
      return;
    }
    const picked = drag?.moved ? [plot.timeAt(drag.x), plot.timeAt(at(event))] : null;
    drag = null;
    plot.selection.hidden = true;
    if (picked && event.type === "pointerup") {
      const { from, to } = plot.view;
      shown.zoomTo(Math.max(from, Math.min(...picked)), Math.min(to, Math.max(...picked)));
    }
  };
  body.addEventListener("pointerup", release);
  body.addEventListener("pointercancel", release);
  body.addEventListener("pointerleave", (event) => {
    if (event.pointerType !== "touch" && !drag) {
      shown.point(null);
    }
  });
  body.addEventListener("dblclick", () => shown.live());
  body.addEventListener(
    "wheel",
    (event) => {
      const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY) && !event.shiftKey;
      // Browsers tell a pinch on a trackpad as a wheel with ctrl.
      const meant = event.ctrlKey || event.shiftKey || sideways || document.activeElement === body;
      if (!meant) {
        return;
      }
      event.preventDefault();
      const { view } = plot;
      if (sideways) {
        shown.pan(view, (event.deltaX / plot.pixels) * (view.to - view.from));
      } else {
        const turned = event.deltaY || event.deltaX;
        shown.scale(view, WHEEL_STEP ** (event.ctrlKey ? 8 * turned : turned), plot.timeAt(at(event)));
      }
    },
    { passive: false },
  );
  body.addEventListener("keydown", (event) => {
    if (press(event.key, event.shiftKey)) {
      event.preventDefault();
      event.stopPropagation();
    }
  });
  body.addEventListener("blur", () => shown.point(null));

  /**
   * @param {number} id
   * @param {number} before
   * @param {number} x
   */
  function moveTouch(id, before, x) {
    const { view } = plot;
    const perPixel = (view.to - view.from) / plot.pixels;
    const [other] = [...touches].filter(([one]) => one !== id).map(([, where]) => where);
    touches.set(id, x);
    if (other === undefined) {
      shown.pan(view, (before - x) * perPixel);
    } else if (Math.abs(x - other) > DRAG_PIXELS) {
      shown.scale(view, Math.abs(before - other) / Math.abs(x - other), plot.timeAt(other));
    }
  }

  /**
   * @param {string} key
   * @param {boolean} shift
   */
  function press(key, shift) {
    const { view } = plot;
    const long = view.to - view.from;
    const around = shown.cursor ?? view.to;
    const direction = key === "ArrowLeft" ? -1 : key === "ArrowRight" ? 1 : 0;
    if (direction !== 0 && shift) {
      shown.pan(view, direction * KEY_SHARE.pan * long);
    } else if (direction !== 0) {
      const to = around + direction * KEY_SHARE.point * long;
      shown.point(Math.min(view.to, Math.max(view.from, to)));
    } else if (key === "+" || key === "-") {
      shown.scale(view, key === "+" ? 1 / KEY_STEP : KEY_STEP, around);
    } else if (key === "Escape" && shown.cursor !== null) {
      shown.point(null);
    } else {
      return false;
    }
    return true;
  }
}
