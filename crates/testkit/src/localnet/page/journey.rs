//! Diagram of a block's path from the L2 to L1. The page contains one for wide and one for narrow
//! screens, and the style sheet shows one of them.

use crate::charts::escaped;
use crate::localnet::{report::Advanced, units};
use std::fmt::Write as _;

/// CSS class of boxes on L1.
const L1: &str = "l1";
/// CSS class of boxes on the L2.
const L2: &str = "l2";

/// A box in the diagram.
struct DiagramBox {
    chain: &'static str,
    title: &'static str,
    figure: String,
    note: &'static str,
    /// Column and row on a wide screen.
    wide: (usize, usize),
    /// Column, row and width in columns on a narrow screen, which has two columns.
    narrow: (usize, usize, usize),
}

/// Arrows between boxes, by index.
const ARROWS: [(usize, usize); 7] = [(0, 2), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7)];

fn boxes(block: &Advanced) -> [DiagramBox; 8] {
    let (gas, witness) = (units::gas(block.gas), units::bytes(block.witness_bytes));
    let (l1_gas, execute_gas) = (units::gas(block.l1_gas), units::gas(block.execute_gas));
    let text = str::to_owned;
    [
        (L2, "Transactions", text("from L2 users"), "sent to the sequencer", (0, 0), (0, 0, 1)),
        (L1, "Message queue", text("from L1 users"), "deposits, calls, forced", (1, 1), (1, 0, 1)),
        (L2, "L2 block", gas, "built by the sequencer", (1, 0), (0, 1, 2)),
        (L2, "Witness", witness, "state that the block reads", (2, 0), (0, 2, 2)),
        (L1, "NativeRollup", l1_gas, "one L1 transaction", (2, 1), (0, 3, 2)),
        (L1, "EXECUTE", execute_gas, "re-executes the L2 block", (3, 1), (0, 4, 2)),
        (L1, "Head on L1", text("state root"), "basis of withdrawals", (4, 1), (0, 5, 1)),
        (L2, "Followers", text("same block hash"), "derived from L1 alone", (4, 0), (1, 5, 1)),
    ]
    .map(|(chain, title, figure, note, wide, narrow)| DiagramBox {
        chain,
        title,
        figure,
        note,
        wide,
        narrow,
    })
}

/// Dimensions of a layout, in SVG user units.
struct Layout {
    class: &'static str,
    size: (f64, f64),
    /// Returns left, top, width and height of a item.
    place: fn(&DiagramBox) -> [f64; 4],
}

const WIDE: Layout = Layout {
    class: "way wide",
    size: (1_000.0, 222.0),
    place: |item| {
        let (column, row) = item.wide;
        [8.0 + 202.0 * column as f64, 4.0 + 130.0 * row as f64, 176.0, 84.0]
    },
};

const NARROW: Layout = Layout {
    class: "way narrow",
    size: (350.0, 652.0),
    place: |item| {
        let (column, row, width) = item.narrow;
        let width = if width == 2 { 342.0 } else { 165.0 };
        [4.0 + 177.0 * column as f64, 4.0 + 112.0 * row as f64, width, 84.0]
    },
};

/// Draws the path of a block.
pub(super) fn journey(block: &Advanced) -> String {
    let boxes = boxes(block);
    let told = escaped(&format!(
        "The sequencer builds a block of {} from transactions and L1 messages and records its witness of {}. One \
         L1 transaction of {} calls EXECUTE, which re-executes the block for {}. L1 then holds the state root, \
         and followers derive the same block from L1.",
        units::gas(block.gas),
        units::bytes(block.witness_bytes),
        units::gas(block.l1_gas),
        units::gas(block.execute_gas),
    ));
    let mut text = format!("<figure role=\"img\" aria-label=\"{told}\">\n");
    for layout in [WIDE, NARROW] {
        draw(&mut text, &boxes, &layout);
    }
    text + "</figure>\n"
}

fn draw(text: &mut String, boxes: &[DiagramBox], layout: &Layout) {
    let Layout { class, size: (width, height), place } = layout;
    let _ = writeln!(
        text,
        "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" aria-hidden=\"true\">"
    );
    for (from, to) in ARROWS {
        arrow(text, place(&boxes[from]), place(&boxes[to]));
    }
    for item in boxes {
        let DiagramBox { chain, title, figure, note, .. } = item;
        let [left, top, width, height] = place(item);
        let at = left + 12.0;
        let (title, figure, note) = (escaped(title), escaped(figure), escaped(note));
        let _ = writeln!(
            text,
            "<g class=\"{chain}\"><rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" rx=\"8\"/>\
             <text class=\"title\" x=\"{at}\" y=\"{}\">{title}</text>\
             <text class=\"amount\" x=\"{at}\" y=\"{}\">{figure}</text>\
             <text class=\"note\" x=\"{at}\" y=\"{}\">{note}</text></g>",
            top + 24.0,
            top + 48.0,
            top + 69.0,
        );
    }
    *text += "</svg>\n";
}

/// Draws an arrow between two boxes, which are side by side or one above the other.
fn arrow(text: &mut String, from: [f64; 4], to: [f64; 4]) {
    let [left, top, width, height] = from;
    let [to_left, to_top, to_width, to_height] = to;
    // The middle of the horizontal overlap of both boxes.
    let x = f64::midpoint(left.max(to_left), (left + width).min(to_left + to_width));
    let y = top + height / 2.0;
    let (x1, y1, x2, y2) = if to_left >= left + width {
        (left + width, y, to_left, y)
    } else if to_top > top {
        (x, top + height, x, to_top)
    } else {
        (x, top, x, to_top + to_height)
    };
    // The arrow head is 8 units long and ends 3 units before the box.
    let length = (x2 - x1).hypot(y2 - y1).max(1.0);
    let (dx, dy) = ((x2 - x1) / length, (y2 - y1) / length);
    let (end_x, end_y) = (x2 - 3.0 * dx, y2 - 3.0 * dy);
    let (base_x, base_y) = (end_x - 8.0 * dx, end_y - 8.0 * dy);
    let _ = writeln!(
        text,
        "<path class=\"line\" d=\"M{x1:.1} {y1:.1}L{base_x:.1} {base_y:.1}\"/>\
         <path class=\"head\" d=\"M{end_x:.1} {end_y:.1}L{:.1} {:.1}L{:.1} {:.1}z\"/>",
        base_x - 4.0 * dy,
        base_y + 4.0 * dx,
        base_x + 4.0 * dy,
        base_y - 4.0 * dx,
    );
}
