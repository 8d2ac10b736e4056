//! A plot of several panels as SVG: figures against the number of subscribers, both logarithmic, with
//! the spread of each figure as a band. It can be read on a light page and on a dark one.

use std::fmt::Write as _;

use crate::measure::thousands;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 350.0;
/// Around the area of a panel: for the title and the notes above, and for the ticks and names.
const TOP: f64 = 58.0;
const BOTTOM: f64 = 52.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 74.0;
/// Least distance of two names at the ends of their lines.
const NAME_HEIGHT: f64 = 15.0;

const STYLE: &str = "
    text { font: 12px system-ui, sans-serif; fill: #57606a }
    .title { font-size: 14px; font-weight: 600; fill: #1f2328 }
    .grid { stroke: #d0d7de; stroke-width: 1 }
    .seam { stroke: #8c959f; stroke-width: 1; stroke-dasharray: 2 3 }
    .line { stroke-width: 2; stroke-linejoin: round }
    .hostcast { stroke: #0969da; fill: #0969da }
    .nchan { stroke: #bc4c00; fill: #bc4c00 }
    .floor { stroke: #6e7781; fill: #6e7781 }
    .line.floor { stroke-dasharray: 6 4 }
    @media (prefers-color-scheme: dark) {
        text { fill: #9198a1 }
        .title { fill: #f0f6fc }
        .grid { stroke: #30363d }
        .seam { stroke: #6e7681 }
        .hostcast { stroke: #58a6ff; fill: #58a6ff }
        .nchan { stroke: #f0883e; fill: #f0883e }
        .floor { stroke: #9198a1; fill: #9198a1 }
    }
    .line { fill: none }
    .band { opacity: .18; stroke: none }
    text.name { font-weight: 600; stroke: none }
";

/// A figure with its spread.
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) low: f64,
    pub(crate) middle: f64,
    pub(crate) high: f64,
}

/// What one server showed; its name is the class of its colour, too.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) points: Vec<Point>,
}

pub(crate) struct Panel {
    pub(crate) title: &'static str,
    pub(crate) lines: Vec<Line>,
}

/// Panels side by side. Between the two numbers of subscribers the conditions change, from the first
/// of the notes to the second.
pub(crate) fn svg(panels: &[Panel], seam: (f64, f64), notes: [&str; 2]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"What each server costs with 1 to 10,000 subscribers\">\n<style>{STYLE}</style>\n"
    );
    let width = WIDTH / panels.len() as f64;
    for (index, panel) in panels.iter().enumerate() {
        let area = Area::new(panel, index as f64 * width, width);
        area.frame(&mut svg, panel.title, seam, notes);
        area.lines(&mut svg, &panel.lines);
    }
    svg.push_str("</svg>\n");
    svg
}

/// Where a panel draws.
struct Area {
    left: f64,
    right: f64,
    x: (f64, f64),
    y: (f64, f64),
}

impl Area {
    fn new(panel: &Panel, left: f64, width: f64) -> Self {
        let points = || panel.lines.iter().flat_map(|line| &line.points);
        let x =
            (points().map(|point| point.x).fold(f64::MAX, f64::min), points().map(|point| point.x).fold(1.0, f64::max));
        let lowest = points().map(|point| point.low).fold(f64::MAX, f64::min);
        let highest = points().map(|point| point.high).fold(f64::MIN_POSITIVE, f64::max);
        let steps = || (-9..40).map(step);
        let low = steps().take_while(|&step| step <= lowest).last().unwrap_or(lowest);
        let high = steps().find(|&step| step >= highest).unwrap_or(highest);
        Self { left: left + LEFT, right: left + width - RIGHT, x, y: (low, high) }
    }

    fn across(&self, x: f64) -> f64 {
        self.left + (self.right - self.left) * (x / self.x.0).ln() / (self.x.1 / self.x.0).ln()
    }

    fn down(&self, y: f64) -> f64 {
        HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (y / self.y.0).ln() / (self.y.1 / self.y.0).ln()
    }

    fn frame(&self, svg: &mut String, title: &str, seam: (f64, f64), notes: [&str; 2]) {
        let Self { left, right, .. } = self;
        let bottom = HEIGHT - BOTTOM;
        text(svg, "title", *left, 20.0, "start", title);
        for y in (-9..40).map(step).filter(|&y| y >= self.y.0 && y <= self.y.1) {
            let place = self.down(y);
            line(svg, "grid", (*left, place), (*right, place));
            text(svg, "", left - 8.0, place + 4.0, "end", &label(y));
        }
        for x in (0..6).map(|power| 10_f64.powi(power)).filter(|&x| x >= self.x.0 && x <= self.x.1) {
            let place = self.across(x);
            line(svg, "grid", (place, bottom), (place, bottom + 5.0));
            text(svg, "", place, bottom + 19.0, "middle", &label(x));
        }
        text(svg, "", f64::midpoint(*left, *right), HEIGHT - 12.0, "middle", "subscribers");
        let seam = self.across((seam.0 * seam.1).sqrt());
        line(svg, "seam", (seam, TOP - 20.0), (seam, bottom));
        text(svg, "", seam - 6.0, TOP - 12.0, "end", notes[0]);
        text(svg, "", seam + 6.0, TOP - 12.0, "start", notes[1]);
    }

    fn lines(&self, svg: &mut String, lines: &[Line]) {
        let place = |x: f64, y: f64| format!("{:.1},{:.1}", self.across(x), self.down(y));
        for Line { name, points } in lines {
            let above = points.iter().map(|point| place(point.x, point.high));
            let below = points.iter().rev().map(|point| place(point.x, point.low));
            let band: Vec<_> = above.chain(below).collect();
            let _ = writeln!(svg, "<polygon class=\"band {name}\" points=\"{}\"/>", band.join(" "));
            let middle: Vec<_> = points.iter().map(|point| place(point.x, point.middle)).collect();
            let _ = writeln!(svg, "<polyline class=\"line {name}\" points=\"{}\"/>", middle.join(" "));
            for point in points {
                let (x, y) = (self.across(point.x), self.down(point.middle));
                let _ = writeln!(svg, "<circle class=\"{name}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\"/>");
            }
        }
        // Names at the ends of their lines, from the top, none over another.
        let end = |line: &Line| line.points.last().map_or(HEIGHT, |point| self.down(point.middle));
        let mut ends: Vec<_> = lines.iter().map(|line| (end(line), line.name)).collect();
        ends.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut above = 0.0;
        for (place, name) in ends {
            let place = place.max(above + NAME_HEIGHT);
            above = place;
            text(svg, &format!("name {name}"), self.right + 8.0, place + 4.0, "start", name);
        }
    }
}

/// The steps of an axis: 1, 2, 5, 10, 20 and so on.
fn step(index: i32) -> f64 {
    [1.0, 2.0, 5.0][index.rem_euclid(3) as usize] * 10_f64.powi(index.div_euclid(3))
}

fn label(number: f64) -> String {
    if number < 1.0 { number.to_string() } else { thousands(number as usize) }
}

fn line(svg: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    // Writing to a string cannot fail, here and above.
    let _ = writeln!(
        svg,
        "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
        from.0, from.1, to.0, to.1
    );
}

fn text(svg: &mut String, class: &str, x: f64, y: f64, anchor: &str, text: &str) {
    let _ = writeln!(svg, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
}
