using System.Reflection;
using MongoDB.Bson.Serialization;
using MongoDB.Bson.Serialization.Conventions;

namespace KafkaEventSourcing.Projections.MongoDB;

/// <summary>
/// What is read for a field that a document does not have, as it was written before its type had the field: what the type declares, the
/// default of the constructor's parameter or the initialiser of the property. The driver has that for types with a constructor without
/// parameters; of others, such as positional records, it fills an object whose constructor has not run, so that there is 0 or null. An
/// attribute of the driver on the property goes first.
/// </summary>
internal sealed class DeclaredDefaults : ConventionBase, IPostProcessingConvention
{
    public void PostProcess(BsonClassMap classMap)
    {
        Type type = classMap.ClassType;
        if (type.IsAbstract
            || type.IsValueType
            || type.GetConstructor(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic, []) is not null
            || type.GetConstructors().MaxBy(c => c.GetParameters().Length) is not { } constructor)
            return;
        ParameterInfo[] parameters = constructor.GetParameters();
        object?[] arguments = [.. parameters.Select(DefaultOf)];
        foreach (BsonMemberMap member in classMap.DeclaredMemberMaps.Where(m => !m.IsDefaultValueSpecified))
        {
            ParameterInfo? parameter = Array.Find(parameters, p => p.Name!.Equals(member.MemberName, StringComparison.OrdinalIgnoreCase));
            if (parameter is { HasDefaultValue: true } && DefaultOf(parameter) is { } declared)
                member.SetDefaultValue(declared);
            else if (parameter is null && CanMake(constructor, arguments))
                // made anew each time: two documents must not share a list
                member.SetDefaultValue(() => member.Getter(constructor.Invoke(arguments)));
        }
    }

    private static object? DefaultOf(ParameterInfo parameter)
    {
        Type type = Nullable.GetUnderlyingType(parameter.ParameterType) ?? parameter.ParameterType;
        return parameter is { HasDefaultValue: true, DefaultValue: { } declared }
            ? type.IsEnum ? Enum.ToObject(type, declared) : declared
            : parameter.ParameterType.IsValueType ? Activator.CreateInstance(parameter.ParameterType) : null;
    }

    // A constructor that checks its arguments does not take those that say nothing; what its properties begin with is not known then.
    private static bool CanMake(ConstructorInfo constructor, object?[] arguments)
    {
        try
        {
            constructor.Invoke(arguments);
            return true;
        }
        catch (TargetInvocationException)
        {
            return false;
        }
    }
}
