using System.Collections.Frozen;

namespace KafkaEventSourcing;

/// <summary>What an old event is read as: one event, several (<c>IEnumerable&lt;object&gt;</c>), or none.</summary>
internal delegate object? Upcaster(object old, in UpcastContext context);

/// <summary>
/// The events of one aggregate type that are only read: those that are upcast, and those that are withdrawn. Chains are followed until
/// every event is of a type that the aggregate evolves by. Immutable and thread-safe.
/// </summary>
internal sealed class Upcasters
{
    private readonly string _aggregate;
    private readonly FrozenDictionary<Type, Upcaster> _upcasters;
    private readonly FrozenDictionary<Type, Type> _targets; // of those that are known before an event is read
    private readonly FrozenSet<string> _ignored;

    public Upcasters(string aggregate, Dictionary<Type, Upcaster> upcasters, Dictionary<Type, Type> targets, HashSet<string> ignored) =>
        (_aggregate, _upcasters, _targets, _ignored) = (aggregate, upcasters.ToFrozenDictionary(), targets.ToFrozenDictionary(),
            ignored.ToFrozenSet());

    public IReadOnlyCollection<Type> Types => _upcasters.Keys;

    public IReadOnlyCollection<string> Ignored => _ignored;

    /// <summary>Whether a type has the name of a withdrawn one: a generated type has the name of its schema.</summary>
    public bool Ignores(Type type) => _ignored.Count > 0 && type.FullName is { } name && _ignored.Contains(name);

    /// <summary>Checks what is known before an event is read.</summary>
    /// <exception cref="InvalidOperationException">A type is also evolved by, a chain goes round, or it ends in a type that the aggregate
    /// does not evolve by.</exception>
    public void Check(Func<Type, bool> evolves)
    {
        foreach (Type old in _upcasters.Keys)
        {
            if (evolves(old))
                throw new InvalidOperationException($"The aggregate '{_aggregate}' upcasts {old.Name} and evolves by it: what is upcast "
                    + $"never comes to {nameof(AggregateBuilder<object>.Evolves)}. Take one of the two away.");
            if (Ignores(old))
                throw new InvalidOperationException($"The aggregate '{_aggregate}' upcasts {old.Name} and ignores it: take one of the two "
                    + "away.");
            CheckChain(old, evolves);
        }
    }

    /// <summary>What <paramref name="event"/> is read as; null when it is of a current type, and read as it is.</summary>
    /// <exception cref="InvalidOperationException">An upcast gives null, or a type that the aggregate does not evolve by; or a chain goes
    /// round.</exception>
    public IReadOnlyList<object>? Apply(object @event, in UpcastContext context, Func<Type, bool> evolves)
    {
        if (!_upcasters.TryGetValue(@event.GetType(), out Upcaster? upcast))
            return Ignores(@event.GetType()) ? [] : null;
        var current = new List<object>(1);
        Apply(@event, upcast, context, evolves, current, new Chain(@event.GetType(), null));
        return current;
    }

    /// <summary>What <paramref name="old"/> is upcast to, in words.</summary>
    public string Describe(Type old) => _targets.TryGetValue(old, out Type? target) ? target.Name : "other events";

    private void Apply(object old, Upcaster upcast, in UpcastContext context, Func<Type, bool> evolves, List<object> current, Chain chain)
    {
        switch (upcast(old, context))
        {
            case null:
                throw new InvalidOperationException($"The aggregate '{_aggregate}' upcasts {chain} to null: give the new event, several, "
                    + "or an empty list where there is none.");
            case IEnumerable<object?> several:
                foreach (object? one in several)
                    Add(one, context, evolves, current, chain);
                break;
            case { } one:
                Add(one, context, evolves, current, chain);
                break;
        }
    }

    private void Add(object? @event, in UpcastContext context, Func<Type, bool> evolves, List<object> current, Chain chain)
    {
        if (@event is null)
            throw new InvalidOperationException($"The aggregate '{_aggregate}' upcasts {chain} to a list with null in it.");
        Type type = @event.GetType();
        if (evolves(type))
            current.Add(@event);
        else if (!_upcasters.TryGetValue(type, out Upcaster? next))
            throw NotAnEvent(chain, type);
        else if (chain.Has(type))
            throw Round(new Chain(type, chain));
        else
            Apply(@event, next, context, evolves, current, new Chain(type, chain));
    }

    private void CheckChain(Type old, Func<Type, bool> evolves)
    {
        var chain = new Chain(old, null);
        while (_targets.TryGetValue(chain.Last, out Type? target))
        {
            if (evolves(target))
                return;
            if (!_upcasters.ContainsKey(target))
                throw NotAnEvent(chain, target);
            if (chain.Has(target))
                throw Round(new Chain(target, chain));
            chain = new Chain(target, chain);
        }
    }

    private InvalidOperationException NotAnEvent(Chain chain, Type type) =>
        new($"The aggregate '{_aggregate}' upcasts {chain} to {type.Name}, which it does not evolve by: call "
            + $"{nameof(AggregateBuilder<object>.Evolves)} for it, or upcast it further.");

    private InvalidOperationException Round(Chain chain) =>
        new($"The aggregate '{_aggregate}' upcasts {chain}, round and round: an upcast leads to a newer type.");

    /// <summary>The types from an event to what it is upcast to, one after the other.</summary>
    private sealed record Chain(Type Last, Chain? Before)
    {
        public bool Has(Type type) => Last == type || Before?.Has(type) == true;

        public override string ToString() => Before is null ? Last.Name : $"{Before} to {Last.Name}";
    }
}
