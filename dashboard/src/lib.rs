//! The dashboard of `hostcast`, built from `web/` and embedded as a table of files.
//!
//! This crate knows nothing of HTTP: it says which bytes belong to which path, and the server
//! decides how to send them.

#![deny(missing_docs)]

/// One file of the dashboard.
#[derive(Debug)]
pub struct Asset {
    /// The path that it is served under: `/` for the page itself, `/assets/…` for the rest. The
    /// page refers to the others relative to its own address, so a prefix may stand before all.
    pub path: &'static str,
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// A strong entity tag of [`identity`](Self::identity), with its quotes. HTTP wants another
    /// one for the gzipped form, since its bytes differ.
    pub etag: &'static str,
    /// Whether the name carries a hash of the content, so that it may be cached for ever.
    pub immutable: bool,
    /// The content.
    pub identity: &'static [u8],
    /// The content, gzipped.
    pub gzip: &'static [u8],
}

/// Every file of the dashboard, the page itself among them.
pub static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// Looks a file up by the path of a request, which starts with `/`.
#[must_use]
pub fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(asset: &Asset) -> &str {
        std::str::from_utf8(asset.identity).expect("every asset is text")
    }

    /// The values of `src` and `href` in the page.
    fn references(html: &str) -> Vec<&str> {
        ["src=\"", "href=\""]
            .iter()
            .flat_map(|attribute| html.split(attribute).skip(1))
            .filter_map(|rest| rest.split('"').next())
            .filter(|reference| !reference.starts_with('#'))
            .collect()
    }

    #[test]
    fn the_root_is_the_page() {
        let page = find("/").expect("there is a page");
        assert_eq!(page.content_type, "text/html; charset=utf-8");
        assert!(!page.immutable, "the page names the others, so it must be asked for anew");
        assert!(text(page).starts_with("<!doctype html>"));
        assert!(find("/index.html").is_none(), "one file has one address");
        assert!(find("").is_none());
    }

    #[test]
    fn the_page_refers_to_what_is_embedded() {
        let references = references(text(find("/").unwrap()));
        assert_eq!(references.len(), 3, "script, style and icon: {references:?}");
        for reference in references {
            let asset = find(&format!("/{reference}")).unwrap_or_else(|| panic!("{reference} is not embedded"));
            assert!(asset.immutable, "{reference} has a hash in its name");
        }
    }

    #[test]
    fn every_asset_is_complete() {
        for asset in ASSETS {
            assert!(!asset.identity.is_empty(), "{} is empty", asset.path);
            assert_eq!(asset.gzip[..2], [0x1f, 0x8b], "{} is not gzip", asset.path);
            assert!(asset.etag.len() > 2 && asset.etag.starts_with('"') && asset.etag.ends_with('"'));
        }
    }

    #[test]
    fn the_page_stays_small() {
        let total: usize = ASSETS.iter().map(|asset| asset.gzip.len()).sum();
        assert!(total <= 45 * 1024, "the dashboard weighs {total} bytes gzipped");
    }

    /// It has to work on a host without a way to the internet, and tell nobody who looks at it.
    #[test]
    fn nothing_is_fetched_from_elsewhere() {
        const NAMESPACE: &str = "http://www.w3.org/";
        for asset in ASSETS {
            let text = text(asset).replace(NAMESPACE, "");
            for scheme in ["http://", "https://", "ws://", "wss://", "=\"//", "url("] {
                assert!(!text.contains(scheme), "{} mentions {scheme}", asset.path);
            }
        }
    }

    /// What `Content-Security-Policy: default-src 'self'` would refuse to run.
    #[test]
    fn the_page_has_nothing_inline() {
        let page = text(find("/").unwrap());
        assert!(!page.contains("style=") && !page.contains("<style"));
        assert_eq!(page.matches("<script").count(), page.matches("<script type=\"module\" src=").count());
        assert!(ASSETS.iter().all(|asset| !text(asset).contains("data:")));
    }
}
