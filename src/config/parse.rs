//! Reads single values of the tree. Each error says what is wrong; the caller says where.

use std::{fmt::Display, ops::RangeInclusive, path::PathBuf, time::Duration};

use super::{
    AllowedHost, Auth, BasePath, Compression, Listen, LogLevel, TrustedProxy, WebOrigin, check_label_value,
    duration::{format_duration, parse_duration},
    section::one_of,
    size::{format_size, parse_size},
    suggest::nearest,
    tree::{Value, quoted},
};

pub(super) fn boolean(value: &Value) -> Result<bool, String> {
    match value {
        Value::Boolean(boolean) => Ok(*boolean),
        Value::Text(text) if text == "true" => Ok(true),
        Value::Text(text) if text == "false" => Ok(false),
        other => Err(format!("expected true or false, found {other}")),
    }
}

pub(super) fn string<'a>(value: &'a Value, expected: &str) -> Result<&'a str, String> {
    match value {
        Value::Text(text) | Value::String(text) => Ok(text),
        other => Err(format!("expected {expected}, found {other}")),
    }
}

/// A duration within bounds; `why` explains the lower one.
pub(super) fn duration(value: &Value, bounds: &RangeInclusive<Duration>, why: &str) -> Result<Duration, String> {
    let text = string(value, "a duration like \"15m\"")?;
    let duration = parse_duration(text)?;
    if duration < *bounds.start() {
        return Err(format!("{} is too short: at least {}{why}", quoted(text), format_duration(*bounds.start())));
    }
    if duration > *bounds.end() {
        return Err(format!("{} is too long: at most {}", quoted(text), format_duration(*bounds.end())));
    }
    Ok(duration)
}

pub(super) fn size(value: &Value, bounds: &RangeInclusive<u64>) -> Result<u64, String> {
    let size = match value {
        Value::Integer(integer) => u64::try_from((*integer).clamp(0, u64::MAX.into())).unwrap_or_default(),
        other => parse_size(string(other, "a size like \"64MiB\"")?)?,
    };
    within(size, value, bounds, format_size)
}

pub(super) fn count(value: &Value, bounds: &RangeInclusive<usize>) -> Result<usize, String> {
    let count = match value {
        Value::Integer(integer) => Some(*integer),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    };
    let count = count.ok_or_else(|| format!("expected a number, found {value}"))?;
    within(usize::try_from(count.max(0)).unwrap_or(usize::MAX), value, bounds, |bound| bound.to_string())
}

fn within<T: PartialOrd + Copy>(
    number: T,
    found: &Value,
    bounds: &RangeInclusive<T>,
    show: impl Fn(T) -> String,
) -> Result<T, String> {
    let found: &dyn Display = if let Value::Integer(integer) = found { integer } else { found };
    if number < *bounds.start() {
        return Err(format!("{found} is too small: at least {}", show(*bounds.start())));
    }
    if number > *bounds.end() {
        return Err(format!("{found} is too large: at most {}", show(*bounds.end())));
    }
    Ok(number)
}

pub(super) fn listen(value: &Value) -> Result<Listen, String> {
    match value {
        // `listen = 7117`
        Value::Integer(port) => port.to_string().parse(),
        other => string(other, "an address like \"127.0.0.1:7117\"")?.parse(),
    }
}

pub(super) fn allowed_host(value: &Value) -> Result<AllowedHost, String> {
    string(value, "a name like \"monitor.example.com\"")?.parse()
}

pub(super) fn allowed_origin(value: &Value) -> Result<WebOrigin, String> {
    string(value, "an origin like \"https://example.com\"")?.parse()
}

pub(super) fn trusted_proxy(value: &Value) -> Result<TrustedProxy, String> {
    string(value, "an address like \"192.0.2.1\"")?.parse()
}

pub(super) fn base_path(value: &Value) -> Result<BasePath, String> {
    string(value, "a path like \"/hostcast\"")?.parse()
}

pub(super) fn pattern(value: &Value) -> Result<glob::Pattern, String> {
    let text = string(value, "a pattern like \"veth*\"")?;
    glob::Pattern::new(text).map_err(|error| format!("{} is not a pattern: {}", quoted(text), error.msg))
}

pub(super) fn log_level(value: &Value) -> Result<LogLevel, String> {
    choice(value, LogLevel::ALL, LogLevel::name)
}

pub(super) fn compression(value: &Value) -> Result<Compression, String> {
    choice(value, Compression::ALL, Compression::name)
}

pub(super) fn path(value: &Value) -> Result<PathBuf, String> {
    let text = string(value, "an absolute path")?;
    if !text.starts_with('/') || text.ends_with('/') || text.contains(char::is_control) {
        return Err(format!("expected an absolute path of a file, found {}", quoted(text)));
    }
    Ok(text.into())
}

/// A path, or nothing at all.
pub(super) fn optional_path(value: &Value) -> Result<Option<PathBuf>, String> {
    if string(value, "an absolute path")?.is_empty() { Ok(None) } else { path(value).map(Some) }
}

pub(super) fn auth(value: &Value) -> Result<Auth, String> {
    choice(value, Auth::ALL, Auth::name)
}

fn choice<T: Copy, const N: usize>(value: &Value, all: [T; N], name: fn(T) -> &'static str) -> Result<T, String> {
    let names = all.map(name);
    let text = string(value, &format!("one of {}", one_of(&names)))?;
    all.into_iter().find(|choice| name(*choice) == text).ok_or_else(|| {
        let near = nearest(text, names.into_iter()).map(|near| format!("; did you mean \"{near}\"?"));
        format!("expected one of {}, found {}{}", one_of(&names), quoted(text), near.unwrap_or_default())
    })
}

pub(super) fn label(value: &Value) -> Result<String, String> {
    let text = string(value, "a string")?;
    check_label_value(text)?;
    Ok(text.to_owned())
}
