//! "Did you mean …?"

use std::collections::BTreeSet;

/// What an unknown key of a section was probably meant to be, as the end of an error; empty where nothing is near.
pub(super) fn suggestion(section: &str, key: &str, known: &BTreeSet<String>) -> String {
    let prefix = if section.is_empty() { String::new() } else { format!("{section}.") };
    let siblings = known.iter().filter_map(|path| path.strip_prefix(&prefix)?.split('.').next());
    if let Some(near) = nearest(key, siblings) {
        return format!("; did you mean \"{near}\"?");
    }
    // The right name in the wrong section.
    let elsewhere = known.iter().find(|path| path.rsplit('.').next() == Some(key));
    elsewhere.map(|path| format!("; did you mean \"{path}\"?")).unwrap_or_default()
}

/// The candidate that differs from `word` by a typing slip, or that is the start of it, or it of the candidate.
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LONGEST {
        return None;
    }
    let word = word.to_lowercase();
    let allowed = 1 + word.len() / 5;
    let distance = |candidate: &str| {
        let candidate = candidate.to_lowercase();
        let is_start = word.starts_with(&candidate) || candidate.starts_with(&word);
        let distance = strsim::osa_distance(&word, &candidate);
        if is_start && word.len().min(candidate.len()) >= 3 { distance.min(allowed) } else { distance }
    };
    candidates
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Longer than any key: comparing costs the product of both lengths.
const LONGEST: usize = 64;
