using System.Linq;

namespace KafkaEventSourcing.Avro.Generator;

/// <summary>
/// Fields that are tagged as personal, by the property that Confluent's client-side encryption of fields goes by: theirs are text and bytes
/// too.
/// </summary>
internal static class PersonalFields
{
    private const string Tags = "confluent:tags";
    private const string Tag = "PII";
    private const string Subject = "kes.subject";

    public static void Complete(NamedType type, AvroField field, JsonNode node)
    {
        JsonNode? subject = node[Subject];
        field.IsPersonal = node[Tags] is { Kind: JsonKind.Array } tags
            ? tags.Items.Any(t => t is { Kind: JsonKind.Text, Raw: Tag })
            : node[Tags] is { } wrong
            ? throw new SchemaException("KESAVRO006", wrong.Position,
                $"The \"{Tags}\" of the field {field.Name} are not an array of texts, such as [\"{Tag}\"].")
            : false;
        if (!field.IsPersonal)
        {
            if (subject is not null)
                throw new SchemaException("KESAVRO006", subject.Position,
                    $"The field {field.Name} has \"{Subject}\" and is not tagged as personal: add \"{Tags}\": [\"{Tag}\"].");
            return;
        }

        AvroType value = field.Type.Kind == AvroKind.Nullable ? field.Type.Inner! : field.Type;
        if (value is not { Kind: AvroKind.Scalar, Scalar: { AvroName: "string" or "bytes", CSharp: "string" or "byte[]" } })
            throw new SchemaException("KESAVRO006", node[Tags]!.Position,
                $"The field {field.Name} is tagged as {Tag} and is neither a string nor bytes, nor one of these or null: what is sealed is "
                    + $"text or bytes. Put it into a field of such a type, or the tag on the fields of the record that it is of.");
        if (subject is null)
            return;
        if (subject.Kind != JsonKind.Text)
            throw NoSubject(type, field, subject);
        field.Subject = type.Fields.FindIndex(f => f.Name == subject.Raw);
        if (field.Subject < 0
            || type.Fields[field.Subject] is not { Type: { Kind: AvroKind.Scalar, Scalar: { CSharp: "string" } } } named
            || named == field
            || IsTagged(type, field.Subject))
            throw NoSubject(type, field, subject);
    }

    private static bool IsTagged(NamedType type, int place) =>
        type.Node["fields"]!.Items[place][Tags]?.Items.Any(t => t.Raw == Tag) ?? false;

    private static SchemaException NoSubject(NamedType type, AvroField field, JsonNode subject) => new("KESAVRO006", subject.Position,
        $"The \"{Subject}\" of the field {field.Name} is '{subject.Raw}'; it must be the name of another field of {type.Name}, a string "
            + $"without null that is not personal itself: the id of whom the value speaks of.");
}
