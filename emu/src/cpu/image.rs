//! What guest memory held at one moment: a copy that shares with others every
//! page in which they do not differ.
//!
//! Pages stand in a tree of two levels, so that a copy of it costs some words and
//! what differs between two of them is found without looking at what they share.

use std::rc::Rc;

use super::ram::{PageBytes, Ram};

/// Pages in one node.
const NODE: usize = 512;

type Page = Option<Rc<PageBytes>>;

#[derive(Debug, Clone)]
struct Node([Page; NODE]);

/// Contents of memory by the number of the page. A page that is not there is
/// zero.
#[derive(Debug, Clone, Default)]
pub(crate) struct Image {
    nodes: Vec<Option<Rc<Node>>>,
}

impl Image {
    /// The page, if it is not zero.
    pub(crate) fn page(&self, page: u32) -> Option<&PageBytes> {
        let (node, place) = split(page);
        self.nodes.get(node)?.as_ref()?.0[place].as_deref()
    }

    /// Takes over what memory holds now in these pages.
    pub(crate) fn take(&mut self, ram: &Ram, pages: &[u32]) {
        for &page in pages {
            self.set(page, ram.copy_of(page));
        }
    }

    /// Replaces a page.
    pub(crate) fn set(&mut self, page: u32, bytes: Page) {
        let (node, place) = split(page);
        if self.nodes.len() <= node {
            if bytes.is_none() {
                return;
            }
            self.nodes.resize(node + 1, None);
        }
        let empty = || Rc::new(Node([const { None }; NODE]));
        let node = self.nodes[node].get_or_insert_with(empty);
        Rc::make_mut(node).0[place] = bytes;
    }

    /// The pages that are not zero, in their order.
    pub(crate) fn pages(&self) -> impl Iterator<Item = (u32, &PageBytes)> {
        let nodes = self.nodes.iter().enumerate();
        nodes.flat_map(|(node, pages)| {
            let pages = pages.iter().flat_map(|node| node.0.iter().enumerate());
            pages.filter_map(move |(place, page)| {
                Some(((node * NODE + place) as u32, page.as_deref()?))
            })
        })
    }

    /// The pages that are not the same copy in both, in their order.
    pub(crate) fn difference(&self, other: &Self) -> Vec<u32> {
        let mut different = Vec::new();
        for node in 0..self.nodes.len().max(other.nodes.len()) {
            let [one, two] = [self, other].map(|image| image.nodes.get(node)?.as_ref());
            if is_same(one, two) {
                continue;
            }
            different.extend((0..NODE).filter_map(|place| {
                let [one, two] = [one, two].map(|node| node?.0[place].as_ref());
                (!is_same(one, two)).then_some((node * NODE + place) as u32)
            }));
        }
        different
    }
}

fn is_same<T>(one: Option<&Rc<T>>, two: Option<&Rc<T>>) -> bool {
    match (one, two) {
        (Some(one), Some(two)) => Rc::ptr_eq(one, two),
        (None, None) => true,
        _ => false,
    }
}

fn split(page: u32) -> (usize, usize) {
    (page as usize / NODE, page as usize % NODE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::ram::PAGE;

    #[test]
    fn images_share_what_they_have_in_common() {
        let mut ram = Ram::new();
        ram.add(0, 2048 * PAGE).unwrap();
        let write = |page: u64, byte| assert!(ram.write(page * PAGE, &[byte]));
        write(3, 1);
        write(700, 1);
        let mut first = Image::default();
        first.take(&ram, &ram.take_dirty());
        write(700, 2);
        write(2047, 2);
        let mut second = first.clone();
        second.take(&ram, &ram.take_dirty());

        assert_eq!(first.difference(&second), [700, 2047]);
        assert_eq!(second.difference(&first), [700, 2047]);
        assert_eq!(first.difference(&first.clone()), []);
        assert_eq!(Image::default().difference(&second), [3, 700, 2047]);
        let bytes = |image: &Image| -> Vec<(u32, u8)> {
            image
                .pages()
                .map(|(page, bytes)| (page, bytes[0]))
                .collect()
        };
        assert_eq!(bytes(&first), [(3, 1), (700, 1)]);
        assert_eq!(bytes(&second), [(3, 1), (700, 2), (2047, 2)]);
    }

    #[test]
    fn a_page_that_becomes_zero_again_is_gone() {
        let mut ram = Ram::new();
        ram.add(0, 4 * PAGE).unwrap();
        let mut image = Image::default();
        assert!(ram.write(0, &[1]));
        image.take(&ram, &ram.take_dirty());
        assert!(image.page(0).is_some());
        assert!(ram.write(0, &[0]));
        image.take(&ram, &ram.take_dirty());
        assert_eq!(image.page(0), None);
        assert_eq!(image.page(9999), None);
    }
}
