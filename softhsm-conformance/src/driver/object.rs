//! Objects: made, read, changed, found.

use std::ptr;

use cryptoki_sys::*;

use crate::arguments::{Output, Place, Template};
use crate::ctx::Ctx;
use crate::describe;
use crate::driver::raw::{RawTemplate, Room};
use crate::guarded::Guarded;
use crate::transcript::{ABSENT, Detail};

impl Ctx {
    pub(crate) fn create_object<'a>(
        &mut self,
        session: CK_SESSION_HANDLE,
        template: impl Into<Template<'a>>,
        place: Place,
    ) -> CK_OBJECT_HANDLE {
        let mut template = RawTemplate::new(template.into());
        let (attributes, count) = template.parts();
        let mut handle = Guarded::new(1);
        let rv = call!(
            self,
            C_CreateObject,
            session,
            attributes,
            count,
            handle.pointer_if(place)
        );
        self.handle("C_CreateObject", rv, &handle)
    }

    pub(crate) fn copy_object<'a>(
        &mut self,
        session: CK_SESSION_HANDLE,
        object: CK_OBJECT_HANDLE,
        template: impl Into<Template<'a>>,
        place: Place,
    ) -> CK_OBJECT_HANDLE {
        let mut template = RawTemplate::new(template.into());
        let (attributes, count) = template.parts();
        let mut handle = Guarded::new(1);
        let rv = call!(
            self,
            C_CopyObject,
            session,
            object,
            attributes,
            count,
            handle.pointer_if(place)
        );
        self.handle("C_CopyObject", rv, &handle)
    }

    pub(crate) fn get_object_size(
        &mut self,
        session: CK_SESSION_HANDLE,
        object: CK_OBJECT_HANDLE,
        place: Place,
    ) -> CK_RV {
        let mut size = Guarded::<CK_ULONG>::new(1);
        let rv = call!(
            self,
            C_GetObjectSize,
            session,
            object,
            size.pointer_if(place)
        );
        self.watch(&size);
        self.record("C_GetObjectSize", rv, Vec::new())
    }

    /// Asks for attributes, each with its own room; answers the values that were written.
    pub(crate) fn get_attribute_value(
        &mut self,
        session: CK_SESSION_HANDLE,
        object: CK_OBJECT_HANDLE,
        wanted: &[(CK_ATTRIBUTE_TYPE, Output)],
    ) -> Vec<Option<Vec<u8>>> {
        let mut rooms: Vec<Room<u8>> = wanted
            .iter()
            .map(|(_, output)| Room::new(*output))
            .collect();
        let mut attributes: Vec<CK_ATTRIBUTE> = wanted
            .iter()
            .zip(&mut rooms)
            .map(|((kind, output), room)| CK_ATTRIBUTE {
                type_: *kind,
                pValue: room.pointers().0.cast(),
                ulValueLen: output.room(),
            })
            .collect();
        let count = attributes.len() as CK_ULONG;
        let rv = call!(
            self,
            C_GetAttributeValue,
            session,
            object,
            attributes.as_mut_ptr(),
            count
        );
        let mut details = Vec::new();
        let mut values = Vec::new();
        for ((attribute, (kind, output)), room) in attributes.iter().zip(wanted).zip(&rooms) {
            self.watch(&room.memory);
            let value = (attribute.ulValueLen <= output.room() && !attribute.pValue.is_null())
                .then(|| room.memory.written(attribute.ulValueLen).to_vec());
            details.push(describe::attribute(
                *kind,
                attribute.ulValueLen,
                value.as_deref(),
            ));
            values.push(value);
        }
        if !describe::has_attributes(rv) {
            details.clear();
            values.fill(None);
        }
        self.record("C_GetAttributeValue", rv, details);
        values
    }

    /// `C_GetAttributeValue` with a NULL template of `count` attributes.
    pub(crate) fn get_attribute_value_null(
        &mut self,
        session: CK_SESSION_HANDLE,
        object: CK_OBJECT_HANDLE,
        count: CK_ULONG,
    ) -> CK_RV {
        let rv = call!(
            self,
            C_GetAttributeValue,
            session,
            object,
            ptr::null_mut(),
            count
        );
        self.record("C_GetAttributeValue", rv, Vec::new())
    }

    pub(crate) fn set_attribute_value<'a>(
        &mut self,
        session: CK_SESSION_HANDLE,
        object: CK_OBJECT_HANDLE,
        template: impl Into<Template<'a>>,
    ) -> CK_RV {
        let mut template = RawTemplate::new(template.into());
        let (attributes, count) = template.parts();
        let rv = call!(
            self,
            C_SetAttributeValue,
            session,
            object,
            attributes,
            count
        );
        self.record("C_SetAttributeValue", rv, Vec::new())
    }

    pub(crate) fn find_objects_init<'a>(
        &mut self,
        session: CK_SESSION_HANDLE,
        template: impl Into<Template<'a>>,
    ) -> CK_RV {
        let mut template = RawTemplate::new(template.into());
        let (attributes, count) = template.parts();
        let rv = call!(self, C_FindObjectsInit, session, attributes, count);
        self.record("C_FindObjectsInit", rv, Vec::new())
    }

    pub(crate) fn find_objects(
        &mut self,
        session: CK_SESSION_HANDLE,
        output: Output,
    ) -> Vec<CK_OBJECT_HANDLE> {
        let mut room = Room::new(output);
        let most = output.room();
        let (pointer, count) = room.pointers();
        let rv = call!(self, C_FindObjects, session, pointer, most, count);
        self.list("C_FindObjects", rv, &room, Detail::compared)
    }
}
