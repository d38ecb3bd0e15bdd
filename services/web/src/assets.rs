//! Style sheet and pictures of the site, held in the program and addressed by a digest of their
//! content, so that browsers keep them for ever and a new release is seen at once. Called by
//! `routes` and by the frame in `pages`.

use vault::sha256;

const STYLE: &str = include_str!("../static/site.css");
const HILLS: &str = include_str!("../static/hills.svg");
const ICON: &str = include_str!("../static/icon.svg");

/// One file.
#[derive(Debug)]
pub struct Asset {
    /// Path on the site, with the digest.
    pub path: String,
    /// Media type.
    pub media_type: &'static str,
    /// Content.
    pub content: String,
}

/// All files.
#[derive(Debug)]
pub struct Assets {
    /// The style sheet.
    pub style: Asset,
    /// The picture behind the search box.
    pub hills: Asset,
    /// The icon of the site.
    pub icon: Asset,
}

impl Asset {
    fn new(name: &str, extension: &str, media_type: &'static str, content: String) -> Self {
        let digest = hex::encode(&sha256(content.as_bytes())[..8]);
        Self {
            path: format!("/static/{name}.{digest}.{extension}"),
            media_type,
            content,
        }
    }
}

impl Assets {
    /// Names all files. The style sheet gets the address of the picture that it shows.
    pub fn new() -> Self {
        let hills = Asset::new("hills", "svg", "image/svg+xml", HILLS.to_owned());
        let style = STYLE.replace("hills.svg", &hills.path);
        Self {
            style: Asset::new("site", "css", "text/css; charset=utf-8", style),
            icon: Asset::new("icon", "svg", "image/svg+xml", ICON.to_owned()),
            hills,
        }
    }

    /// The file at a path.
    pub fn find(&self, path: &str) -> Option<&Asset> {
        [&self.style, &self.hills, &self.icon]
            .into_iter()
            .find(|asset| asset.path == path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_their_digest_only() {
        let assets = Assets::new();
        assert!(assets.find(&assets.style.path).is_some());
        assert!(assets.find("/static/site.css").is_none());
        assert!(assets.style.content.contains(&assets.hills.path));
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        let assets = Assets::new();
        for asset in [&assets.style, &assets.hills, &assets.icon] {
            let outside = asset.content.replace("http://www.w3.org/2000/svg", "");
            assert!(
                !outside.contains("http") && !outside.contains("//"),
                "{}",
                asset.path
            );
        }
    }

    /// The colours of the style sheet by name, from its lines `--name: #rrggbb;`.
    fn colour(name: &str) -> [f64; 3] {
        let start = STYLE
            .find(&format!("--{name}: #"))
            .unwrap_or_else(|| panic!("no colour {name}"));
        let hex = &STYLE[start..].split('#').nth(1).unwrap()[..6];
        let value = u32::from_str_radix(hex, 16).unwrap();
        [value >> 16, value >> 8, value].map(|channel| f64::from(channel & 0xff) / 255.0)
    }

    /// Contrast of WCAG 2.
    fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
        let luminance = |colour: [f64; 3]| {
            let [r, g, b] = colour.map(|c| {
                if c <= 0.040_45 {
                    c / 12.92
                } else {
                    ((c + 0.055) / 1.055).powf(2.4)
                }
            });
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        let (a, b) = (luminance(one), luminance(other));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_stands_out_from_its_ground_as_wcag_aa_asks() {
        let white = [1.0; 3];
        for ground in ["paper", "card", "tint", "stripe"] {
            for ink in ["ink", "soft", "link", "link-hover", "red", "green", "amber"] {
                let reached = contrast(colour(ink), colour(ground));
                assert!(reached >= 4.5, "{ink} on {ground}: {reached:.2}");
            }
        }
        for ground in ["navy", "navy-deep", "teal", "red", "red-deep", "link"] {
            let reached = contrast(white, colour(ground));
            assert!(reached >= 4.5, "white on {ground}: {reached:.2}");
        }
        assert!(contrast(colour("mist"), colour("navy-deep")) >= 4.5);
        assert!(contrast(colour("mist"), colour("navy")) >= 4.5);
        for (ink, ground) in [
            ("red", "red-tint"),
            ("green", "green-tint"),
            ("amber", "amber-tint"),
            ("ink", "amber-tint"),
            ("ink", "mark"),
        ] {
            let reached = contrast(colour(ink), colour(ground));
            assert!(reached >= 4.5, "{ink} on {ground}: {reached:.2}");
        }
        // Borders of controls: 3 to 1 (WCAG 1.4.11).
        assert!(contrast(colour("control"), colour("card")) >= 3.0);
        assert!(contrast(colour("focus"), colour("card")) >= 3.0);
    }
}
