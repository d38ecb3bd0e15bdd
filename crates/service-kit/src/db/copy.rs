//! Rows for a table by PostgreSQL's binary COPY: many rows cost the server about a third less than by `unnest`, which
//! first builds a set of every column. `store` modules use it where rows are only added: COPY answers no
//! conflict and returns nothing.

use sqlx::{Encode, Postgres, encode::IsNull, error::BoxDynError, postgres::PgArgumentBuffer};

use super::{Conn, Error};

/// Signature, flags, and length of the heading's extension.
const HEADING: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// Where a row would begin with the number of its columns.
const END: [u8; 2] = (-1_i16).to_be_bytes();

/// Rows that wait to be sent, encoded.
#[derive(Debug)]
pub struct CopyIn {
    statement: &'static str,
    columns: i16,
    buffer: PgArgumentBuffer,
    failed: Option<BoxDynError>,
}

/// A row that is being written, column by column.
#[derive(Debug)]
pub struct CopyRow<'a>(&'a mut CopyIn);

impl CopyIn {
    /// Begins with no row. `statement` is `COPY table (columns) FROM STDIN (FORMAT binary)`; each row must have `columns`
    /// values, in the order and of exactly the types of the statement's columns: the server converts nothing.
    pub fn new(statement: &'static str, columns: i16) -> Self {
        let mut buffer = PgArgumentBuffer::default();
        buffer.extend_from_slice(HEADING);
        Self {
            statement,
            columns,
            buffer,
            failed: None,
        }
    }

    /// Begins the next row.
    pub fn row(&mut self) -> CopyRow<'_> {
        let columns = self.columns.to_be_bytes();
        self.buffer.extend_from_slice(&columns);
        CopyRow(self)
    }

    /// Sends the rows; how many were added.
    ///
    /// # Errors
    /// Those of the database, a conflict with rows that are there included, and of a value that cannot be encoded.
    pub async fn send(mut self, conn: &mut Conn) -> Result<u64, Error> {
        if let Some(error) = self.failed {
            return Err(Error::Encode(error));
        }
        self.buffer.extend_from_slice(&END);
        let mut copy = conn.copy_in_raw(self.statement).await?;
        copy.send(self.buffer.as_slice()).await?;
        copy.finish().await
    }
}

impl CopyRow<'_> {
    /// Writes the next column.
    pub fn put<'v, T: Encode<'v, Postgres>>(self, value: T) -> Self {
        let buffer = &mut self.0.buffer;
        let start = buffer.len();
        buffer.extend_from_slice(&[0; 4]);
        let length = value.encode(buffer).and_then(|null| match null {
            IsNull::No => Ok(i32::try_from(buffer.len() - start - 4)?),
            IsNull::Yes => Ok(-1),
        });
        match length {
            Ok(length) => buffer[start..start + 4].copy_from_slice(&length.to_be_bytes()),
            Err(error) => {
                self.0.failed.get_or_insert(error);
            }
        }
        self
    }
}
