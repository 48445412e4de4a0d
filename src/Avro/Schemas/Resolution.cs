namespace KafkaEventSourcing.Avro.Schemas;

/// <summary>How a value that one schema wrote becomes a value of another; made by <see cref="SchemaResolver"/>.</summary>
internal abstract record Resolution
{
    /// <summary>
    /// Whether the bytes are those that the reader's own schema gives the value, so that code for that schema reads them.
    /// </summary>
    public bool IsIdentity => Keeps(this, []);

    /// <summary>Why no value at all can be read; null when values can.</summary>
    public virtual string? Problem => null;

    private static bool Keeps(Resolution resolution, HashSet<RecordResolution> open) => resolution switch
    {
        PrimitiveResolution p => p.Writer.Kind == p.Reader.Kind && !p.IsConverted,
        FixedResolution f => !f.IsConverted,
        EnumResolution e => e.Symbols.Count == e.Reader.Symbols.Count && e.Symbols.Select((symbol, i) => symbol == i).All(same => same),
        ArrayResolution array => Keeps(array.Items, open),
        MapResolution map => Keeps(map.Values, open),
        UnionResolution union =>
            union.Branches.Select((branch, i) =>
                branch is BranchResolution b && b.Branch == i && b.Reader.Branches.Count == union.Branches.Count && Keeps(b.Value, open))
                .All(same => same),
        RecordResolution record => !open.Add(record)
            || (record.Problem is null
                && record.Steps.Count == record.Reader.Fields.Count
                && record.Steps.Select((step, i) => step.Field == i && Keeps(step.Value!, open)).All(same => same)),
        _ => false,
    };
}

/// <summary>No value of the writer's schema is one of the reader's.</summary>
internal sealed record Unreadable(string Why) : Resolution
{
    public override string? Problem => Why;
}

/// <summary>A primitive as itself, or as one that takes all its values.</summary>
internal sealed record PrimitiveResolution(AvroSchema Writer, AvroSchema Reader) : Resolution
{
    /// <summary>Whether both say what the value means, in different units.</summary>
    public bool IsConverted => LogicalType.IsConverted(Writer, Reader);
}

/// <summary>A fixed as itself, or as a decimal with more digits behind the point.</summary>
internal sealed record FixedResolution(FixedSchema Writer, FixedSchema Reader) : Resolution
{
    /// <summary>Whether both say what the value means, in different units.</summary>
    public bool IsConverted => LogicalType.IsConverted(Writer, Reader);
}

/// <summary>
/// An enum; <paramref name="Symbols"/> has the reader's index for each of the writer's, -1 for those that the reader does not take.
/// </summary>
internal sealed record EnumResolution(EnumSchema Writer, EnumSchema Reader, IReadOnlyList<int> Symbols) : Resolution;

internal sealed record ArrayResolution(Resolution Items) : Resolution;

internal sealed record MapResolution(Resolution Values) : Resolution;

/// <summary>A union that the writer has: for each of its branches, how that becomes the reader's value.</summary>
internal sealed record UnionResolution(IReadOnlyList<Resolution> Branches) : Resolution
{
    public override string? Problem => Branches.Count > 0 && Branches.All(b => b.Problem is not null)
        ? string.Join("; ", Branches.Select(b => b.Problem))
        : null;
}

/// <summary>A value that becomes the branch <paramref name="Branch"/> of a union that the reader has.</summary>
internal sealed record BranchResolution(UnionSchema Reader, int Branch, Resolution Value) : Resolution
{
    public override string? Problem => Value.Problem;
}

/// <summary>A record. It may contain itself, so it is compared by reference.</summary>
internal sealed record RecordResolution(RecordSchema Writer, RecordSchema Reader) : Resolution
{
    /// <summary>What is read, in the order of the writer's fields.</summary>
    public IReadOnlyList<FieldStep> Steps { get; internal set; } = [];

    /// <summary>Places of the reader's fields that the writer does not have: they take their defaults.</summary>
    public IReadOnlyList<int> Defaults { get; internal set; } = [];

    /// <summary>Why a field cannot be read or has no value; set by the resolver, as a field may be of the record itself.</summary>
    public string? Lost { get; internal set; }

    public override string? Problem => Lost;

    public bool Equals(RecordResolution? other) => ReferenceEquals(this, other);

    public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);
}

/// <summary>A field of the writer: the place of the reader's field that takes it, and how; -1: it is skipped.</summary>
internal sealed record FieldStep(SchemaField Written, int Field, Resolution? Value);
