namespace KafkaEventSourcing.Testing;

/// <summary>Something that happened at one moment between <paramref name="Started"/> and <paramref name="Ended"/>.</summary>
/// <param name="Place">Its place in the order that the log tells: 2<i>k</i> for the <i>k</i>-th write of the aggregate, 2<i>k</i>+1 for all
/// that saw its state after <i>k</i> writes.</param>
/// <param name="Started">The earliest moment.</param>
/// <param name="Ended">The latest moment; <see cref="long.MaxValue"/> when it is not known.</param>
/// <param name="Version">The version that it wrote or saw.</param>
/// <param name="Call">The call that reports it.</param>
internal readonly record struct Operation(long Place, long Started, long Ended, long Version, RecordedCall Call)
{
    /// <summary>
    /// Two operations that contradict the order in time: the first had ended before the second started, and yet its place is behind. Null
    /// when there are none, and then, and only then, a legal order exists: the operations sorted by place, and by start within a place,
    /// follow the log, and no later one had ended before an earlier one began.
    /// </summary>
    public static (Operation Earlier, Operation Later)? FindContradiction(List<Operation> operations)
    {
        Operation[] byStart = [.. operations.OrderBy(o => o.Started)];
        Operation[] byEnd = [.. operations.OrderBy(o => o.Ended)];
        Operation? furthest = null;
        int ended = 0;
        foreach (Operation operation in byStart)
        {
            for (; byEnd[ended].Ended < operation.Started; ended++)
            {
                if (furthest is null || byEnd[ended].Place > furthest.Value.Place)
                    furthest = byEnd[ended];
            }

            if (furthest is { } before && before.Place > operation.Place)
                return (before, operation);
        }

        return null;
    }
}
