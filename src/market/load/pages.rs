//! Pages of a Parquet column, one after the other, straight into the column that a tape holds.
//!
//! Reads what price files are made of: numbers of a fixed width and texts, plain or by dictionary,
//! with or without missing values, in pages of either version. Whatever else there is (lists, delta
//! encodings, ...) is left to polars. Every count that a file states is held against what is there
//! before room is made for it, so that a damaged file ends as an error. The format is that of
//! <https://parquet.apache.org/docs/file-format/>.

use polars::io::mmap::MmapBytesReader;
use polars::io::utils::get_reader_bytes;
use polars_parquet::parquet::compression::{Compression, DecompressionContext, decompress};
use polars_parquet::parquet::metadata::ColumnChunkMetadata;
use polars_parquet_format::thrift::protocol::TCompactInputProtocol;
use polars_parquet_format::{DataPageHeader, DataPageHeaderV2, Encoding, PageHeader, PageType};
use std::collections::HashMap;
use zstd::bulk::Decompressor;

/// Why a column was not read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// It is written in a way that this file does not read.
    Unknown,
    /// It contradicts itself, or cannot be read at all.
    Damaged,
}

type Step<T> = std::result::Result<T, Stop>;

/// No header of a page is longer, statistics included.
const HEADER_BYTES_MAX: usize = 1 << 24;

/// How much shorter Snappy, LZ4 and DEFLATE make a page at best (DEFLATE: 1032 times).
const BEST_RATIO: usize = 1100;

/// A file whose columns are read one after the other, in the same working memory.
pub(super) struct Pages<R> {
    file: R,
    unpacker: Unpacker,
    indices: Vec<u32>,
}

/// The values of a page, as far as its header tells.
struct Values<'a> {
    /// Missing ones included.
    count: usize,
    encoding: Encoding,
    /// Runs of 0 (missing) and 1; `None` where nothing is missing.
    levels: Option<&'a [u8]>,
    bytes: &'a [u8],
}

/// A page of a chunk.
enum Page<'a> {
    /// The number of values and their bytes.
    Dictionary(usize, &'a [u8]),
    Data(Values<'a>),
}

impl<R: MmapBytesReader> Pages<R> {
    pub(super) fn new(file: R) -> Self {
        Pages {
            file,
            unpacker: Unpacker::default(),
            indices: Vec::new(),
        }
    }

    /// The column that `chunks` are the parts of, `rows` values of `W` bytes each read by `of`.
    pub(super) fn numbers<T: Copy, const W: usize>(
        &mut self,
        chunks: &[&ColumnChunkMetadata],
        rows: usize,
        missing: T,
        of: impl Fn([u8; W]) -> T,
    ) -> Step<Vec<T>> {
        let plain = |bytes: &[u8], count: usize, out: &mut Vec<T>| {
            let values = bytes.as_chunks::<W>().0.get(..count);
            let values = values.ok_or(Stop::Damaged)?;
            out.extend(values.iter().map(|bytes| of(*bytes)));
            Ok(())
        };
        self.column(chunks, rows, W, missing, plain)
    }

    /// A column of texts, trimmed; `None` where there is none.
    pub(super) fn texts(
        &mut self,
        chunks: &[&ColumnChunkMetadata],
        rows: usize,
    ) -> Step<Vec<Option<String>>> {
        const NONE: u32 = u32::MAX;
        let mut known: Vec<String> = Vec::new();
        let mut places: HashMap<String, u32> = HashMap::new();
        let plain = |mut bytes: &[u8], count: usize, out: &mut Vec<u32>| {
            for _ in 0..count {
                let (len, rest) = bytes.split_first_chunk::<4>().ok_or(Stop::Damaged)?;
                bytes = rest;
                let text = taken(&mut bytes, i32::from_le_bytes(*len))?;
                let text = std::str::from_utf8(text).map_err(|_| Stop::Damaged)?;
                let text = text.trim();
                out.push(match places.get(text) {
                    Some(place) => *place,
                    None => {
                        let place = u32::try_from(known.len()).map_err(|_| Stop::Unknown)?;
                        places.insert(text.to_string(), place);
                        known.push(text.to_string());
                        place
                    }
                });
            }
            Ok(())
        };
        let column = self.column(chunks, rows, usize::MAX, NONE, plain)?;
        let text = |place: u32| known.get(place as usize).cloned();
        Ok(column.into_iter().map(text).collect())
    }

    /// Looks through the pages of a column that another decoder is to read: that none promises runs
    /// beyond what it holds, for which that decoder would make room.
    pub(super) fn check(&mut self, chunks: &[&ColumnChunkMetadata]) -> Step<()> {
        self.file.rewind().map_err(|_| Stop::Damaged)?;
        let file = get_reader_bytes(&mut self.file).map_err(|_| Stop::Damaged)?;
        for chunk in chunks {
            let range = chunk.byte_range();
            let bytes = file.get(range.start as usize..range.end as usize);
            let bytes = bytes.ok_or(Stop::Damaged)?;
            walk(chunk, bytes, &mut self.unpacker, usize::MAX, |page| {
                let Page::Data(values) = page else {
                    return Ok(());
                };
                if let Some(levels) = values.levels {
                    runs_fit(levels, 1, values.count)?;
                }
                match (values.encoding, values.bytes.split_first()) {
                    (
                        Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY,
                        Some((width, runs)),
                    ) => runs_fit(runs, *width, values.count),
                    _ => Ok(()),
                }
            })?;
        }
        Ok(())
    }

    /// A column whose plain values are read by `plain(bytes, count, out)`; none of them takes more
    /// than `width_max` bytes.
    fn column<T: Copy>(
        &mut self,
        chunks: &[&ColumnChunkMetadata],
        rows: usize,
        width_max: usize,
        missing: T,
        plain: impl FnMut(&[u8], usize, &mut Vec<T>) -> Step<()>,
    ) -> Step<Vec<T>> {
        let mut column = Vec::new();
        column.try_reserve_exact(rows).map_err(|_| Stop::Damaged)?;
        self.file.rewind().map_err(|_| Stop::Damaged)?;
        let file = get_reader_bytes(&mut self.file).map_err(|_| Stop::Damaged)?;
        let mut decoder = Decoder {
            unpacker: &mut self.unpacker,
            indices: &mut self.indices,
            width_max,
            missing,
            plain,
        };
        for chunk in chunks {
            let values = usize::try_from(chunk.num_values()).map_err(|_| Stop::Damaged)?;
            if values > rows - column.len() {
                return Err(Stop::Damaged);
            }
            let range = chunk.byte_range();
            let bytes = file.get(range.start as usize..range.end as usize);
            decoder.decode(chunk, bytes.ok_or(Stop::Damaged)?, values, &mut column)?;
        }
        if column.len() == rows {
            Ok(column)
        } else {
            Err(Stop::Damaged)
        }
    }
}

/// What the pages of one column are decoded with.
struct Decoder<'a, T, P> {
    unpacker: &'a mut Unpacker,
    indices: &'a mut Vec<u32>,
    width_max: usize,
    missing: T,
    plain: P,
}

impl<T: Copy, P: FnMut(&[u8], usize, &mut Vec<T>) -> Step<()>> Decoder<'_, T, P> {
    /// Appends the `values` of a chunk to the column.
    fn decode(
        &mut self,
        chunk: &ColumnChunkMetadata,
        bytes: &[u8],
        values: usize,
        column: &mut Vec<T>,
    ) -> Step<()> {
        let Decoder {
            unpacker,
            indices,
            width_max,
            missing,
            plain,
        } = self;
        // Plain values, a bit for each that may be missing, and some room for how it is told.
        let bytes_max = values
            .saturating_mul(width_max.saturating_add(1))
            .saturating_add(HEADER_BYTES_MAX);
        let mut dictionary: Vec<T> = Vec::new();
        walk(chunk, bytes, unpacker, bytes_max, |page| match page {
            Page::Dictionary(count, bytes) => {
                dictionary.clear();
                plain(bytes, count, &mut dictionary)
            }
            Page::Data(values) => append(&values, &dictionary, *missing, plain, indices, column),
        })
    }
}

/// Goes through the pages of a chunk until all its values are there.
fn walk(
    chunk: &ColumnChunkMetadata,
    mut rest: &[u8],
    unpacker: &mut Unpacker,
    bytes_max: usize,
    mut see: impl FnMut(Page<'_>) -> Step<()>,
) -> Step<()> {
    let may_miss = match chunk.descriptor().descriptor.max_def_level {
        0 => false,
        1 => true,
        _ => return Err(Stop::Unknown),
    };
    let kind = chunk.compression();
    let mut left = usize::try_from(chunk.num_values()).map_err(|_| Stop::Damaged)?;
    while left > 0 {
        let header = header(&mut rest)?;
        let body = taken(&mut rest, header.compressed_page_size)?;
        let size = usize::try_from(header.uncompressed_page_size)
            .ok()
            .filter(|size| *size <= bytes_max)
            .ok_or(Stop::Damaged)?;
        let values = match header.type_ {
            PageType::DICTIONARY_PAGE => {
                let head = header.dictionary_page_header.ok_or(Stop::Damaged)?;
                if !matches!(head.encoding, Encoding::PLAIN | Encoding::PLAIN_DICTIONARY) {
                    return Err(Stop::Unknown);
                }
                let count = usize::try_from(head.num_values).map_err(|_| Stop::Damaged)?;
                see(Page::Dictionary(
                    count,
                    unpacker.unpacked(kind, body, size)?,
                ))?;
                continue;
            }
            PageType::DATA_PAGE => {
                let head = header.data_page_header.ok_or(Stop::Damaged)?;
                let page = unpacker.unpacked(kind, body, size)?;
                first_version(&head, page, may_miss)?
            }
            PageType::DATA_PAGE_V2 => {
                let head = header.data_page_header_v2.ok_or(Stop::Damaged)?;
                second_version(&head, body, unpacker, kind, size)?
            }
            _ => continue,
        };
        left = left.checked_sub(values.count).ok_or(Stop::Damaged)?;
        see(Page::Data(values))?;
    }
    Ok(())
}

fn header(rest: &mut &[u8]) -> Step<PageHeader> {
    let mut protocol = TCompactInputProtocol::new(rest, HEADER_BYTES_MAX);
    PageHeader::read_from_in_protocol(&mut protocol).map_err(|_| Stop::Damaged)
}

/// The next `len` bytes.
fn taken<'a>(rest: &mut &'a [u8], len: i32) -> Step<&'a [u8]> {
    let len = usize::try_from(len).map_err(|_| Stop::Damaged)?;
    let (head, tail) = rest.split_at_checked(len).ok_or(Stop::Damaged)?;
    *rest = tail;
    Ok(head)
}

/// A page of the first version: the levels lie with the values and say how long they are.
fn first_version<'a>(head: &DataPageHeader, page: &'a [u8], may_miss: bool) -> Step<Values<'a>> {
    let mut bytes = page;
    let mut levels = None;
    if may_miss {
        if head.definition_level_encoding != Encoding::RLE {
            return Err(Stop::Unknown);
        }
        let (len, rest) = page.split_first_chunk::<4>().ok_or(Stop::Damaged)?;
        bytes = rest;
        let len = i32::from_le_bytes(*len);
        levels = Some(taken(&mut bytes, len)?);
    }
    Ok(Values {
        count: usize::try_from(head.num_values).map_err(|_| Stop::Damaged)?,
        encoding: head.encoding,
        levels,
        bytes,
    })
}

/// A page of the second version: the levels lie before the values and are never compressed.
fn second_version<'a>(
    head: &DataPageHeaderV2,
    body: &'a [u8],
    unpacker: &'a mut Unpacker,
    kind: Compression,
    size: usize,
) -> Step<Values<'a>> {
    let mut bytes = body;
    if head.repetition_levels_byte_length != 0 {
        return Err(Stop::Unknown);
    }
    let levels = taken(&mut bytes, head.definition_levels_byte_length)?;
    if head.is_compressed.unwrap_or(true) {
        let size = size.checked_sub(levels.len()).ok_or(Stop::Damaged)?;
        bytes = unpacker.unpacked(kind, bytes, size)?;
    }
    Ok(Values {
        count: usize::try_from(head.num_values).map_err(|_| Stop::Damaged)?,
        encoding: head.encoding,
        levels: Some(levels).filter(|levels| !levels.is_empty()),
        bytes,
    })
}

/// Appends the values of a page to the column.
fn append<T: Copy>(
    values: &Values<'_>,
    dictionary: &[T],
    missing: T,
    plain: &mut impl FnMut(&[u8], usize, &mut Vec<T>) -> Step<()>,
    indices: &mut Vec<u32>,
    column: &mut Vec<T>,
) -> Step<()> {
    let start = column.len();
    let defined = defined(values, indices)?;
    let present = match &defined {
        None => values.count,
        Some(defined) => defined.iter().filter(|defined| **defined).count(),
    };
    match values.encoding {
        Encoding::PLAIN => plain(values.bytes, present, column)?,
        Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY => {
            if present > 0 {
                let (width, runs) = values.bytes.split_first().ok_or(Stop::Damaged)?;
                hybrid(runs, *width, present, indices)?;
                let known = indices
                    .iter()
                    .all(|&index| (index as usize) < dictionary.len());
                if !known {
                    return Err(Stop::Damaged);
                }
                column.extend(indices.iter().map(|&index| dictionary[index as usize]));
            }
        }
        _ => return Err(Stop::Unknown),
    }
    if let Some(defined) = defined {
        spread(column, start, &defined, missing);
    }
    Ok(())
}

/// Which values of a page are there; `None` for all.
fn defined(values: &Values<'_>, indices: &mut Vec<u32>) -> Step<Option<Vec<bool>>> {
    let Some(levels) = values.levels.filter(|_| values.count > 0) else {
        return Ok(None);
    };
    // One run of ones is what a column without gaps has.
    let mut rest = levels;
    let head = varint(&mut rest)?;
    if head & 1 == 0 && head >> 1 >= values.count as u64 && rest.first() == Some(&1) {
        return Ok(None);
    }
    hybrid(levels, 1, values.count, indices)?;
    Ok(Some(indices.iter().map(|level| *level == 1).collect()))
}

/// Moves the values from `start` on to where they are defined.
fn spread<T: Copy>(column: &mut Vec<T>, start: usize, defined: &[bool], missing: T) {
    let mut from = column.len();
    column.resize(start + defined.len(), missing);
    for (place, defined) in defined.iter().enumerate().rev() {
        column[start + place] = if *defined {
            from -= 1;
            column[from]
        } else {
            missing
        };
    }
}

/// `count` numbers of `width` bits, in runs of one number and stretches of packed ones.
fn hybrid(mut bytes: &[u8], width: u8, count: usize, out: &mut Vec<u32>) -> Step<()> {
    let width = usize::from(width);
    if width > 32 {
        return Err(Stop::Damaged);
    }
    out.clear();
    out.try_reserve(count).map_err(|_| Stop::Damaged)?;
    while out.len() < count {
        let head = varint(&mut bytes)?;
        let left = count - out.len();
        let length = usize::try_from(head >> 1).map_err(|_| Stop::Damaged)?;
        if length == 0 {
            return Err(Stop::Damaged);
        }
        if head & 1 == 0 {
            let (value, rest) = bytes
                .split_at_checked(width.div_ceil(8))
                .ok_or(Stop::Damaged)?;
            bytes = rest;
            let mut four = [0; 4];
            four[..value.len()].copy_from_slice(value);
            out.extend(std::iter::repeat_n(
                u32::from_le_bytes(four),
                length.min(left),
            ));
        } else {
            // Eight at a time; some writers leave the unused end of the last away.
            let whole = length.checked_mul(width).ok_or(Stop::Damaged)?;
            let (packed, rest) = bytes.split_at(whole.min(bytes.len()));
            bytes = rest;
            let here = length.saturating_mul(8).min(left);
            if packed.len() * 8 < here * width {
                return Err(Stop::Damaged);
            }
            unpack(packed, width, here, out);
        }
    }
    Ok(())
}

/// Whether runs, looked at but not written out, hold no more than `count` numbers.
fn runs_fit(mut bytes: &[u8], width: u8, count: usize) -> Step<()> {
    let width = usize::from(width);
    let mut left = count as u64;
    while !bytes.is_empty() {
        let head = varint(&mut bytes)?;
        let length = head >> 1;
        let (most, len) = if head & 1 == 0 {
            (left, width.div_ceil(8))
        } else {
            let len = usize::try_from(length)
                .ok()
                .and_then(|n| n.checked_mul(width));
            (left.div_ceil(8), len.ok_or(Stop::Damaged)?)
        };
        if length > most {
            return Err(Stop::Damaged);
        }
        bytes = &bytes[len.min(bytes.len())..];
        left = left.saturating_sub(if head & 1 == 0 { length } else { 8 * length });
    }
    Ok(())
}

/// `count` numbers of `width` bits (32 at most), the lowest bits first.
fn unpack(packed: &[u8], width: usize, count: usize, out: &mut Vec<u32>) {
    let mask = (1_u64 << width) - 1;
    let at = |number: usize| {
        let bit = number * width;
        let bytes = &packed[(bit / 8).min(packed.len())..];
        let word = match bytes.first_chunk::<8>() {
            Some(eight) => u64::from_le_bytes(*eight),
            None => {
                let mut eight = [0; 8];
                eight[..bytes.len()].copy_from_slice(bytes);
                u64::from_le_bytes(eight)
            }
        };
        (word >> (bit % 8) & mask) as u32
    };
    out.extend((0..count).map(at));
}

/// A number in groups of seven bits, the lowest first.
fn varint(bytes: &mut &[u8]) -> Step<u64> {
    let mut value = 0;
    for place in 0..9 {
        let (byte, rest) = bytes.split_first().ok_or(Stop::Damaged)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Stop::Damaged)
}

/// Decompresses page after page into the same memory.
#[derive(Default)]
struct Unpacker {
    page: Vec<u8>,
    zstd: Option<Decompressor<'static>>,
}

impl Unpacker {
    /// The page in `body`, which is `size` bytes long when it is no longer compressed.
    fn unpacked<'a>(
        &'a mut self,
        kind: Compression,
        body: &'a [u8],
        size: usize,
    ) -> Step<&'a [u8]> {
        self.page.clear();
        match kind {
            Compression::Uncompressed => return Ok(body),
            Compression::Zstd => {
                // In one call: a stream would go through a window of its own first.
                if self.zstd.is_none() {
                    self.zstd = Decompressor::new().ok();
                }
                let zstd = self.zstd.as_mut().ok_or(Stop::Unknown)?;
                self.page.try_reserve(size).map_err(|_| Stop::Damaged)?;
                let written = zstd.decompress_to_buffer(body, &mut self.page);
                written.map_err(|_| Stop::Damaged)?;
            }
            other => {
                // A damaged size is not believed; Brotli alone may compress better.
                if size > body.len().saturating_mul(BEST_RATIO) {
                    return Err(match other {
                        Compression::Brotli => Stop::Unknown,
                        _ => Stop::Damaged,
                    });
                }
                self.page.resize(size, 0);
                let mut context = DecompressionContext::Unset;
                let done = decompress(other, body, &mut self.page, &mut context);
                done.map_err(|_| Stop::Damaged)?;
            }
        }
        if self.page.len() == size {
            Ok(&self.page)
        } else {
            Err(Stop::Damaged)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(bytes: &[u8], width: u8, count: usize) -> Step<Vec<u32>> {
        let mut out = Vec::new();
        hybrid(bytes, width, count, &mut out).map(|()| out)
    }

    #[test]
    fn runs_and_packed_numbers_are_told_apart() {
        // The example of the format's page on encodings: 0 to 7 in three bits each.
        let packed = [0x03, 0b1000_1000, 0b1100_0110, 0b1111_1010];
        assert_eq!(numbers(&packed, 3, 8), Ok((0..8).collect()));
        assert_eq!(numbers(&packed, 3, 5), Ok((0..5).collect()));
        let run = [0x0a, 0x07];
        assert_eq!(numbers(&run, 3, 5), Ok(vec![7; 5]));
        let both = [0x04, 0x05, 0x03, 0b1000_1000, 0b1100_0110, 0b1111_1010];
        assert_eq!(numbers(&both, 3, 4), Ok(vec![5, 5, 0, 1]));
        assert_eq!(numbers(&[0x06], 0, 3), Ok(vec![0; 3]));
    }

    #[test]
    fn counts_that_cannot_be_true_are_damage() {
        // A run of 2^60 numbers gives no more than the page has; too few bytes give none.
        let endless = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 0x01];
        assert_eq!(numbers(&endless, 1, 3), Ok(vec![1; 3]));
        assert_eq!(numbers(&[0x03, 0xff], 3, 8), Err(Stop::Damaged));
        assert_eq!(numbers(&[0x00, 0x01], 1, 1), Err(Stop::Damaged));
        assert_eq!(numbers(&[0x02], 1, 1), Err(Stop::Damaged));
        assert_eq!(numbers(&[], 1, 1), Err(Stop::Damaged));
        assert_eq!(numbers(&[0x02, 0, 0, 0, 0, 0], 33, 1), Err(Stop::Damaged));
        assert_eq!(varint(&mut [0xff; 12].as_slice()), Err(Stop::Damaged));
        assert_eq!(runs_fit(&endless, 1, 3), Err(Stop::Damaged));
        assert_eq!(runs_fit(&[0x06, 0x01, 0x03, 0xff], 1, 4), Ok(()));
        assert_eq!(
            runs_fit(&[0x06, 0x01, 0x05, 0xff, 0xff], 1, 4),
            Err(Stop::Damaged)
        );
    }

    #[test]
    fn missing_values_move_the_others_apart() {
        let mut column = vec![9.0, 1.0, 2.0];
        spread(&mut column, 1, &[false, true, false, true], 0.5);
        assert_eq!(column, [9.0, 0.5, 1.0, 0.5, 2.0]);
        let mut empty = vec![9.0];
        spread(&mut empty, 1, &[false, false], 0.5);
        assert_eq!(empty, [9.0, 0.5, 0.5]);
    }
}
