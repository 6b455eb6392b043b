//! The table that ends `cargo xtask images`. Pure.

use super::make::Made;

/// A row for each image, and the sum where there are several.
pub(super) fn table(made: &[Made]) -> String {
    let row = |name: &str, packed: u64, unpacked: u64, rest: &str| {
        format!("  {name:<48} {:>8} {:>8}  {rest}\n", mib(packed), mib(unpacked))
    };
    let mut text = format!("  {:<48} {:>8} {:>8}\n", "MiB", "packed", "unpacked");
    for image in made {
        let rest = format!("{}  {}", image.digest, image.file.display());
        text += row(&image.name, image.packed, image.unpacked, &rest).as_str();
    }
    if made.len() > 1 {
        let sum = |size: fn(&Made) -> u64| made.iter().map(size).sum();
        text += row("all", sum(|image| image.packed), sum(|image| image.unpacked), "").trim_end();
        text.push('\n');
    }
    text
}

/// Two decimals, without a float: sizes are exact.
fn mib(bytes: u64) -> String {
    let hundredths = (bytes * 100 + (1 << 19)) >> 20;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(name: &str, packed: u64, unpacked: u64) -> Made {
        Made {
            name: name.to_owned(),
            file: format!("out/{name}.tar").into(),
            unpacked,
            packed,
            digest: "sha256:00".to_owned(),
        }
    }

    #[test]
    fn sizes_are_rounded_to_a_hundredth() {
        for (bytes, text) in [
            (0, "0.00"),
            (1 << 20, "1.00"),
            (1_572_864, "1.50"),
            (15_728_639, "15.00"),
        ] {
            assert_eq!(mib(bytes), text);
        }
    }

    #[test]
    fn several_images_have_a_sum() {
        let text = table(&[made("a", 1 << 20, 2 << 20), made("b", 1 << 20, 3 << 20)]);
        let words: Vec<&str> = text.lines().last().unwrap().split_whitespace().collect();
        assert_eq!(words, ["all", "2.00", "5.00"]);
        assert_eq!(table(&[made("a", 0, 0)]).lines().count(), 2);
    }
}
