//! One host in full: everything that it measures, group by group.

use std::time::{Duration, Instant};

use ratatui::{
    style::Stylize as _,
    text::{Line, Span},
};

use super::{
    groups::{self, Sheet},
    meter::{highest, sparkline},
    rows::state_of,
};
use crate::{
    units,
    watch::{host::Host, trail::Kind},
};

/// The width of what stands left of a sparkline.
const HEAD_WIDTH: usize = 24;

/// All lines, as many as there are.
pub(super) fn lines(host: &Host, width: u16, now: Instant) -> Vec<Line<'static>> {
    let (state, style) = state_of(host, now);
    let mut lines =
        vec![Line::from(vec![Span::raw(host.name.clone()).bold(), "  ".into(), Span::styled(state, style)])];
    lines.extend(host.trouble().map(|trouble| Line::raw(format!("  {trouble}"))));
    if let Some(hello) = &host.hello {
        let machine = &hello.host.host;
        lines.push(Line::raw(format!(
            "  {}: {}, Linux {}, {} CPUs",
            machine.name, machine.os, machine.kernel, machine.cpus
        )));
        if !hello.host.labels.is_empty() {
            let labels: Vec<_> = hello.host.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            lines.push(Line::raw(format!("  {}", labels.join("  "))));
        }
    }
    lines.push(Line::raw(format!("  {}", account(host))).dim());
    // Without fresh readings the groups stay where they are, with a dash for each number.
    let (readings, is_fresh) = host.readings(now);
    let sheet = Sheet::new(readings, is_fresh);
    let summary = host.summary(now);
    if let Some(uptime) = sheet.one("system.uptime", &[]).filter(|uptime| uptime.is_finite() && *uptime >= 0.0) {
        lines.push(Line::raw(format!("  up {}", units::duration(Duration::from_secs(uptime as u64)))).dim());
    }
    let mut group = |head: Vec<Span<'static>>, body: Vec<Line<'static>>| {
        lines.push(Line::default());
        lines.push(Line::from(head));
        lines.extend(body);
    };
    group(head(host, "CPU", &units::percent(summary.cpu), Kind::Cpu, width), groups::cpu(&sheet, width));
    group(head(host, "MEMORY", &units::percent(summary.memory), Kind::Memory, width), groups::memory(&sheet));
    let traffic = format!("↓{} ↑{}", units::bits(summary.received), units::bits(summary.sent));
    group(head(host, "NETWORK", &traffic, Kind::Network, width), groups::network(&sheet));
    for (name, body) in [
        ("PRESSURE", groups::pressure(&sheet)),
        ("DISKS", groups::disks(&sheet)),
        ("FILESYSTEMS", groups::filesystems(&sheet, width)),
        ("TEMPERATURES", groups::temperatures(&sheet)),
        ("HOSTCAST ITSELF", groups::itself(&sheet)),
        ("ELSE", groups::others(&sheet)),
    ] {
        if !body.is_empty() {
            group(vec![Span::raw(name).bold()], body);
        }
    }
    lines
}

/// What came, and what did not.
fn account(host: &Host) -> String {
    let count = &host.count;
    let mut parts = vec![format!("every {} ms", host.interval_ms()), format!("{} samples", count.samples)];
    parts.push(match count.missing {
        0 => "none missing".into(),
        missing => format!("{missing} missing"),
    });
    if count.restarts > 0 {
        parts.push(format!("restarted {} times", count.restarts));
    }
    if count.losses > 0 {
        parts.push(format!("connection lost {} times", count.losses));
    }
    parts.join(", ")
}

fn head(host: &Host, name: &'static str, value: &str, kind: Kind, width: u16) -> Vec<Span<'static>> {
    let columns = host.trail().columns(kind, width.saturating_sub(HEAD_WIDTH as u16), host.interval_ms());
    let full = if kind == Kind::Network { highest(&columns, 1_000.0) } else { 1.0 };
    let mut spans = vec![Span::raw(format!("{name:9}")).bold(), Span::raw(format!("{value:14} "))];
    spans.extend(sparkline(&columns, full));
    spans
}
